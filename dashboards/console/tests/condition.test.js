import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { comparisons, whenOf } from '../lib/condition.js';
import { treeOf } from '../lib/condition_tree.js';

const short = (found) => found.map(({ left, sign, right, shown, limit, met }) => [left, sign, right, shown, limit, met]);

test('the condition is found in a rule file, however it is written', () => {
  assert.equal(whenOf('rule: a.b\nwhen: x > 1\nrisk: 5\n'), 'x > 1');
  assert.equal(whenOf('when: >-\n  x > 1\n  && y > 2    # why\nrisk: 5\n'), 'x > 1\n&& y > 2');
  assert.equal(whenOf("when: 'a == \"b\" || c > ''d'''\n"), 'a == "b" || c > \'d\'');
  assert.equal(whenOf('rule: a.b\n'), '');
});

test('values are held to their limits as the condition does', () => {
  const values = { sends: 9, verified: 1, 'params.sends_max': 7, ok: true, name: 'x' };
  assert.deepEqual(short(comparisons(values, 'sends - verified > params.sends_max && ok')), [['sends - verified', '>', 'params.sends_max', 8, 7, true]]);
  assert.deepEqual(short(comparisons(values, 'sends * 2 + 1 <= 19 || verified >= params.sends_max')), [['sends * 2 + 1', '<=', '19', 19, 19, true], ['verified', '>=', 'params.sends_max', 1, 7, false]]);
  assert.deepEqual(short(comparisons(values, 'ok && (sends > params.sends_max)')), [['sends', '>', 'params.sends_max', 9, 7, true]]);
  assert.deepEqual(short(comparisons(values, 'double(sends) > 8.5')), [['double(sends)', '>', '8.5', 9, 8.5, true]]);
  // What has no number, or is more than a comparison of numbers, is left out.
  assert.deepEqual(short(comparisons({ sends: 9, name: 'x' }, 'size(name) > 3 && time - x < duration(params.y) && name > 2')), []);
});

test('without a condition, names tell', () => {
  assert.deepEqual(short(comparisons({ sends: 9, 'params.sends_max': 8, 'params.other_min': 3 }, '')), [['sends', '>', 'params.sends_max', 9, 8, true]]);
});

test('a condition is a tree, with what its terms came to', () => {
  const values = { sends: 9, 'leak.fired': true, 'leak.kind': 'phone', 'data.x': null, 'params.max': 8 };
  const is = (text) => treeOf(text, values).is;
  const cases = [
    ['sends > params.max', true], ['sends > params.max && leak.fired', true], ['sends <= params.max || !leak.fired', false], ['(sends > 9) || (leak.kind == "phone")', true],
    ['!(sends > 8 && leak.fired)', false], ['leak.kind != "code"', true], ['leak.kind in ["email", "phone"]', true], ['leak.kind in ["email"]', false], ['has(data.x)', false], ['has(sends)', true],
    ['has(data.y)', null], ['data.text.matches("a || b")', null], ['data.y > 1 && sends < 9', false], ['data.y > 1 && sends > 8', null], ['data.y > 1 || sends > 8', true],
    ['sends > 8 ? leak.fired : false', null], ['sends - 1 >= params.max', true], ['sends == 9', true], ['leak.kind == 9', null], ['a.b(")") || sends == 9', true], ['(sends > 8) && ((leak.fired))', true],
  ];
  for (const [text, wanted] of cases) assert.equal(is(text), wanted, text);
  assert.deepEqual(treeOf('a && (b || !c)', {}), {
    kind: 'all', is: null,
    parts: [{ kind: 'term', text: 'a', shown: null, is: null }, { kind: 'any', is: null, parts: [{ kind: 'term', text: 'b', shown: null, is: null }, { kind: 'not', is: null, parts: [{ kind: 'term', text: 'c', shown: null, is: null }] }] }],
  });
});

test('no condition that opened an alert is said not to be met', () => {
  const alerts = readFileSync(new URL('alerts.jsonl', import.meta.url), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  const rules = new URL('../../../rules/', import.meta.url);
  const found = alerts.map(({ rule, values }) => [rule, treeOf(whenOf(readFileSync(new URL(`${rule.replace('.', '/')}.yaml`, rules), 'utf8')), values).is]);
  assert.deepEqual(found.filter(([, is]) => is === false), []);
  const met = found.filter(([, is]) => is).length;
  console.log(`${met} of ${found.length} conditions are met by the values alone`);
  assert.ok(met > 0.5 * found.length);
});

test('of the alerts of a simulated day nearly all show what was met', () => {
  const alerts = readFileSync(new URL('alerts.jsonl', import.meta.url), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  const rules = new URL('../../../rules/', import.meta.url);
  const shows = alerts.filter(({ rule, values }) => comparisons(values, whenOf(readFileSync(new URL(`${rule.replace('.', '/')}.yaml`, rules), 'utf8'))).some(({ met }) => met));
  assert.ok(shows.length > 0.85 * alerts.length, `${shows.length} of ${alerts.length}`);
});
