import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matches, meant, paramsOf } from '../lib/filter.js';
import { href, parse } from '../lib/route.js';

const alert = { rule: 'auth.otp_flood', entity: 'phone:p1_a', severity: 'SEV2', status: 'open', mode: 'active', verdict: null, retracted: null, opened_at_ms: 1_000_000_000 };
const now = 1_000_000_500;

test('without a word, what is delivered and not closed of the last day is asked for', () => {
  assert.deepEqual(paramsOf({}, now), { status: 'open,acknowledged', mode: 'active', retracted: 'false', since_ms: now - 86_400_000 });
});

test('each part of the address narrows', () => {
  assert.deepEqual(paramsOf({ severity: 'SEV0,SEV1', status: 'any', rule: 'a.b', verdict: 'none', period: 'all', kind: 'any' }, now), { rule: 'a.b', severity: 'SEV0,SEV1', judged: 'false' });
  assert.deepEqual(paramsOf({ since_ms: '5', until_ms: '9', kind: 'shadow', verdict: 'unsure' }, now), { status: 'open,acknowledged', mode: 'shadow', verdict: 'unsure', since_ms: 5, until_ms: 9 });
  // Nonsense in the address is as if it were not there.
  assert.deepEqual(paramsOf({ period: 'x', kind: 'y', status: 'z' }, now), paramsOf({}, now));
});

test('what arrives is held to the same', () => {
  const cases = [
    [{}, {}, true], [{ severity: 'SEV0,SEV1' }, {}, false], [{ severity: 'SEV1,SEV2' }, {}, true], [{ status: 'open,acknowledged' }, { status: 'closed' }, false],
    [{ rule: 'auth.otp' }, {}, false], [{ area: 'auth' }, {}, true], [{ area: 'aut' }, {}, false], [{ entity: 'phone:p1_a' }, {}, true], [{ judged: 'false' }, {}, true],
    [{ judged: 'false' }, { verdict: 'unsure' }, false], [{ verdict: 'unsure' }, {}, false], [{ retracted: 'false' }, { retracted: 0 }, false], [{ retracted: 'true' }, { retracted: 5 }, true],
    [{ mode: 'active' }, { mode: 'shadow' }, false], [{ since_ms: 1_000_000_000 }, {}, true], [{ since_ms: 1_000_000_001 }, {}, false], [{ until_ms: 1_000_000_000 }, {}, false],
  ];
  for (const [params, more, is] of cases) assert.equal(matches(params, { ...alert, ...more }), is, JSON.stringify([params, more]));
});

test('what one types is understood', () => {
  const rules = ['auth.otp_flood', 'auth.otp_drip', 'wave.money'];
  assert.deepEqual(meant(' auth.otp_flood ', rules), { rule: 'auth.otp_flood' });
  assert.deepEqual(meant('auth', rules), { area: 'auth' });
  assert.deepEqual(meant('user:u_1', rules), { entity: 'user:u_1' });
  assert.deepEqual(meant('phone_country:+20', rules), { entity: 'phone_country:+20' });
  assert.deepEqual(meant('al_5f0c2k', rules), { alert: 'al_5f0c2k' });
  assert.deepEqual(meant('rule:x.y', rules), { rule: 'x.y' });
  assert.deepEqual(meant('money', rules), { rule: 'wave.money' });
  assert.equal(meant('otp', rules), null);
  assert.equal(meant('', rules), null);
});

test('an address says where one is, and is read back', () => {
  assert.deepEqual(parse('#/alert/al_1?x=1'), { page: 'alert', parts: ['al_1'], query: { x: '1' } });
  assert.deepEqual(parse(''), { page: 'alerts', parts: [], query: {} });
  assert.deepEqual(parse('#/entity/%zz'), { page: 'entity', parts: ['%zz'], query: {} });
  for (const entity of ['user:u_1', 'region:8/5?3&e', 'phone_country:+20', 'x:é%']) {
    assert.deepEqual(parse(href('entity', [entity], { q: entity })), { page: 'entity', parts: [entity], query: { q: entity } });
  }
  assert.equal(href('alerts', [], { entity: 'user:u_1', severity: 'SEV0,SEV1', none: undefined }), '#/alerts?entity=user:u_1&severity=SEV0,SEV1');
});
