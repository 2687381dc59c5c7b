import './globals.js';
import assert from 'node:assert/strict';
import { test } from 'node:test';

const { AlertList, compare, placeOf, put, remove } = await import('../lib/alerts.js');
const { count, groupOf, within } = await import('../lib/groups.js');

const alert = (id, opened_at_ms, more = {}) => ({ id, opened_at_ms, rule: 'a.b', entity: 'user:u', severity: 'SEV2', status: 'open', mode: 'active', verdict: null, retracted: null, ...more });

test('alerts stand newest first, by id where the time is the same, whatever order they come in', () => {
  const all = Array.from({ length: 200 }, (_, index) => alert(`al_${(index * 7919) % 200}`, ((index * 31) % 17) * 1000));
  const list = [];
  all.forEach((one) => assert.equal(put(list, one), true));
  assert.deepEqual(list, all.toSorted(compare));
  list.forEach((one, index) => assert.equal(placeOf(list, one), index));
});

test('one that comes again is put over itself; one that is not there is not taken out', () => {
  const list = [];
  put(list, alert('al_1', 5));
  assert.equal(put(list, alert('al_1', 5, { status: 'closed' })), false);
  assert.deepEqual(list.map(({ status }) => status), ['closed']);
  assert.equal(remove(list, alert('al_2', 5)), false);
  assert.equal(remove(list, alert('al_1', 5)), true);
});

/** A service with that many alerts, of which a page is answered as it would. */
function serve(all, perPage) {
  globalThis.fetch = async (path) => {
    const query = new URL(path, 'http://x').searchParams;
    const [time, id] = (query.get('cursor') ?? '').split('.');
    const until = Number(query.get('until_ms') ?? Infinity);
    const rest = all.toSorted(compare).filter((one) => one.opened_at_ms < until && (!id || compare(one, { opened_at_ms: Number(time), id }) > 0));
    const alerts = rest.slice(0, perPage), last = alerts.at(-1);
    return Response.json({ alerts, next: rest.length > perPage ? `${last.opened_at_ms}.${last.id}` : null });
  };
}

test('a list goes on page by page to its end, and takes what arrives at its place', async () => {
  const all = Array.from({ length: 25 }, (_, index) => alert(`al_${String(index).padStart(3, '0')}`, 1000 + Math.floor(index / 3)));
  serve(all, 10);
  const list = new AlertList({ status: 'open' }, 10);
  await list.reload();
  assert.equal(list.rows.length, 10);
  assert.equal(list.take([alert('al_new', 9999)], true), true);
  // Older than the page that is loaded: it comes with its own page, not twice.
  assert.equal(list.take([all[0]], true), false);
  await list.more();
  await list.more();
  assert.equal(list.isWhole, true);
  assert.deepEqual(list.rows.map(({ id }) => id), [alert('al_new', 9999), ...all.toSorted(compare)].map(({ id }) => id));
});

test('one that is no longer as the filter says leaves the list', async () => {
  serve([alert('al_1', 1), alert('al_2', 2)], 10);
  const list = new AlertList({ status: 'open' });
  await list.reload();
  list.take([alert('al_1', 1, { status: 'closed' })], true);
  assert.deepEqual(list.rows.map(({ id }) => id), ['al_2']);
});

test('what arrives while the list is being loaded is not lost', async () => {
  serve([alert('al_1', 1)], 10);
  const list = new AlertList({});
  const loaded = list.reload();
  list.take([alert('al_2', 2)], true);
  await loaded;
  assert.deepEqual(list.rows.map(({ id }) => id), ['al_2', 'al_1']);
});

test('what is cut off behind is found again by its time', async () => {
  const all = Array.from({ length: 3_200 }, (_, index) => alert(`al_${String(index).padStart(5, '0')}`, Math.floor(index / 2)));
  serve(all, 400);
  const list = new AlertList({}, 400);
  await list.reload();
  while (list.rows.length < 3_001) await list.more();
  list.take([alert('al_new', 99_999)], true);
  assert.ok(list.rows.length < 2_000);
  while (!list.isWhole) await list.more();
  assert.deepEqual(list.rows.map(({ id }) => id), ['al_new', ...all.toSorted(compare).map(({ id }) => id)]);
});

const group = (key, more) => ({ key, rule: 'a.b', alerts: 1, open: 1, acknowledged: 0, severity: 'SEV3', first_ms: 0, last_ms: 0, oldest_open_ms: 0, spark: new Array(24).fill(0), newest: alert('al_0', 0), ...more });

test('a group counts what is opened', () => {
  const one = group('a.b');
  count(one, alert('al_1', 23_500, { severity: 'SEV1' }), { since_ms: 0, bucket_ms: 1000 });
  assert.deepEqual([one.alerts, one.open, one.severity, one.last_ms, one.oldest_open_ms, one.spark.at(-1), one.newest.id], [2, 2, 'SEV1', 23_500, 0, 1, 'al_1']);
});

test('a storm ends after half an hour of quiet', () => {
  const storms = [group('a.b@0', { last_ms: 60_000 })];
  assert.equal(groupOf(storms, 'storm', alert('al_1', 60_000 + 1_800_000)), storms[0]);
  assert.equal(groupOf(storms, 'storm', alert('al_1', 60_001 + 1_800_000)), undefined);
  assert.equal(groupOf(storms, 'storm', alert('al_1', 0, { rule: 'c.d' })), undefined);
});

test('what is in a group is asked for by the filter and the group', () => {
  assert.deepEqual(within({ status: 'open' }, 'rule', group('a.b')), { status: 'open', rule: 'a.b' });
  assert.deepEqual(within({ rule: 'a.b' }, 'entity', group('user:u')), { rule: 'a.b', entity: 'user:u' });
  assert.deepEqual(within({ since_ms: 0 }, 'storm', group('a.b@5', { first_ms: 5, last_ms: 9 })), { since_ms: 5, until_ms: 10, rule: 'a.b' });
});

test('groups of all times begin with the first alert, and act on just what they count', async () => {
  const { GroupList } = await import('../lib/groups.js');
  const asked = [];
  globalThis.fetch = async (path) => {
    const since_ms = Number(new URL(path, 'http://x').searchParams.get('since_ms'));
    asked.push(since_ms);
    return Response.json({ groups: [group('a.b', { first_ms: 7_200_000, alerts: 3 })], since_ms: since_ms - (since_ms % 3_600_000), until_ms: 9e9, bucket_ms: 3_600_000, cut: false });
  };
  const all = new GroupList('rule', { status: 'open' });
  await all.reload();
  assert.deepEqual(asked, [0, 7_200_000]);
  assert.deepEqual(all.within(all.groups[0]), { status: 'open', rule: 'a.b' });
  const day = new GroupList('rule', { since_ms: 8_000_000 });
  await day.reload();
  assert.deepEqual(day.within(day.groups[0]), { since_ms: 7_200_000, rule: 'a.b' });
});
