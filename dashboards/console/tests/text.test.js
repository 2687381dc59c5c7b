import './globals.js';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

const { blocksOf, target } = await import('../parts/markdown.js');
const { partsOf } = await import('../parts/yaml.js');
const { troubles, quantile, rate } = await import('../lib/health.js');
const { clock, lang } = await import('../lib/prefs.js');
const { t } = await import('../lib/i18n.js');
const format = await import('../lib/format.js');
const { default: en } = await import('../lang/en.js');
const { default: ar } = await import('../lang/ar.js');

const root = new URL('../', import.meta.url);
const files = (folder, ending) => readdirSync(new URL(folder, root)).filter((name) => name.endsWith(ending)).map((name) => `${folder}${name}`);
const modules = [...files('./', '.js'), ...['lib/', 'parts/', 'pages/', 'lang/'].flatMap((folder) => files(folder, '.js'))].map((name) => name.replace('./', ''));
const read = (name) => readFileSync(new URL(name, root), 'utf8');

test('both languages have every word, and every word that a page asks for is there', () => {
  assert.deepEqual(Object.keys(ar).sort(), Object.keys(en).sort());
  const asked = modules.flatMap((name) => [...read(name).matchAll(/\bt\('([\w.]+)'|'((?:reason|key|health)\.[a-z0-9_.]+)'|name="(health\.\w+)"/g)].map(([, ...keys]) => [name, keys.find(Boolean)]));
  assert.ok(asked.length > 250);
  for (const [name, key] of asked) assert.ok(en[key] !== undefined, `${name} asks for ${key}`);
});

test('both languages name the same values, and Arabic has all its plurals', () => {
  const names = (word) => [...new Set((typeof word === 'string' ? word : word.other).match(/\{\w+\}/g) ?? [])].sort();
  for (const [key, word] of Object.entries(en)) {
    assert.deepEqual(names(ar[key]), names(word), key);
    if (typeof word !== 'string') for (const plural of ['one', 'two', 'few', 'many', 'other']) assert.ok(ar[key][plural], `${key} ${plural}`);
  }
});

test('numbers and times are of the language and the clock chosen', () => {
  const noon = Date.UTC(2026, 6, 1, 12);
  Object.assign(lang, { value: 'en' });
  clock.value = 'cairo';
  assert.equal(format.shortTime(noon), '15:00'); // summer time
  clock.value = 'utc';
  assert.equal(format.shortTime(noon), '12:00');
  assert.equal(t('group.open', { n: 1234 }), '1,234 open');
  assert.equal(format.ago(noon - 180_000, noon), '3 min ago');
  assert.equal(format.ago(noon + 60_000, noon), 'now');
  assert.equal(format.value('jump.distance_m', 3421), '3,421 m');
  assert.equal(format.value('leak.fired', true), 'yes');
  assert.equal(format.value('x', null), '–');
  lang.value = 'ar';
  assert.equal(format.number(1234), '١٬٢٣٤');
  assert.equal(t('picked', { n: 2 }), 'تم تحديد تنبيهين');
  assert.equal(t('picked', { n: 5 }), 'تم تحديد ٥ تنبيهات');
  assert.equal(t('picked', { n: 11 }), 'تم تحديد ١١ تنبيهًا');
  lang.value = 'en';
});

test('runbooks are read in full: no table, list or heading is left as text', () => {
  const runbooks = new URL('../../docs/runbooks/', root);
  for (const name of readdirSync(runbooks)) {
    const blocks = blocksOf(readFileSync(new URL(name, runbooks), 'utf8'));
    assert.equal(blocks[0].kind, 'heading', name);
    for (const block of blocks) if (block.kind === 'paragraph') assert.doesNotMatch(block.text, /^(#|\||- |\d+\. )/, name);
    for (const block of blocks) if (block.kind === 'table') block.rows.forEach((row) => assert.equal(row.length, block.head.length, `${name}: ${row[0]}`));
  }
});

test('a link of a runbook leads to a runbook or into the web, and never runs anything', () => {
  assert.deepEqual(target('takeover.md#x'), { at: '#/runbook/takeover' });
  assert.deepEqual(target('https://cel.dev'), { at: 'https://cel.dev', out: true });
  for (const to of ['javascript:alert(1)', 'data:text/html,x', '../operations.md', '//x.y']) assert.equal(target(to), null, to);
});

test('a rule file is shown whole', () => {
  for (const line of read('../../rules/wave/takeover.yaml').split('\n')) assert.equal(partsOf(line).map(([, part]) => part).join(''), line);
  assert.deepEqual(partsOf('params: {sends_max: 8}    # in ten').map(([kind]) => kind).filter(Boolean), ['key', 'key', 'number', 'comment']);
});

test('what is wrong with the service is found, the worst first, and each has its words', () => {
  const sink = { name: 'core', depth: 0, parked: 2, breaker: 'open', refusing: true, trouble: { why: 'last answer 503', for_ms: 90_000 } };
  const stats = {
    readiness: { state: 'not_ready', why: 'x' }, freshness: { why: 'y', lag_ms: 5 }, worker: { divergence_total: 1, lost_total: 1, set_aside_total: 3 }, outbox: { full: true },
    ruleset: { refused: true }, engine: { braked: [{ rule: 'a.b', shadow: false }, { rule: 'c.d', shadow: true }], warming: [{ rule: 'e.f', until_ms: 1 }], counters: { unknown_types: 1 }, duplicate_reach_s: { gps: 60, other: 9_999 } },
    sources: [{ stream: 's', stopped: 'z', gaps_total: 2 }], sinks: [sink, { ...sink, refusing: false, trouble: null }], redis: { policies: ['allkeys-lru'], missing_total: 1, foreign_keys: 1 },
    clock: { ahead_ms: -5 }, alerts: { gaps: [[1, 2]] }, ingest: { tokens_unusable: true }, hindrances: [{ area: 'log', now: true }],
  };
  const found = troubles({ stats });
  const keys = found.map(({ key }) => key);
  assert.deepEqual([...new Set(keys)].sort(), Object.keys(en).filter((key) => key.startsWith('trouble.')).map((key) => key.slice(8)).sort());
  assert.equal(keys[0], 'not_ready');
  assert.ok(found.findLastIndex(({ isBad }) => isBad) < found.findIndex(({ isBad }) => !isBad));
  for (const { runbook } of found) if (runbook) read(`../../docs/runbooks/${runbook}.md`);
});

test('a quantile is the bound of its bucket', () => {
  const buckets = new Array(15).fill(0);
  assert.equal(quantile(buckets, 0.99), null);
  buckets[0] = 98;
  buckets[5] = 2;
  assert.equal(quantile(buckets, 0.5), 1);
  assert.equal(quantile(buckets, 0.99), 20);
  buckets[14] = 100;
  assert.equal(quantile(buckets, 0.99), Infinity);
  assert.equal(rate({ atMs: 0, events: 10 }, { atMs: 2_000, events: 30 }), 10);
});

test('the page loads every module at once, nothing from elsewhere, and no script or style of its own text', () => {
  const page = read('index.html');
  const named = [...page.matchAll(/<link rel="modulepreload" href="([^"]+)">/g)].map(([, name]) => name).sort();
  const all = [...modules.filter((name) => name !== 'before.js' && name !== 'app.js'), ...files('vendor/', '.js')].sort();
  assert.deepEqual(named, all);
  assert.doesNotMatch(page, /<script(?![^>]*src=)|<style|style=|\son\w+=/);
  for (const name of ['index.html', ...files('./', '.css'), ...modules]) {
    for (const [address] of read(name).matchAll(/\b(?:https?:)?\/\/[\w-]+\.[\w.-]+/g)) assert.fail(`${name} names ${address}`);
    assert.doesNotMatch(read(name), /innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttribute\(['"]style/, name);
  }
});

test('the libraries are those that were fetched', () => {
  for (const { files: of } of Object.values(JSON.parse(read('vendor/versions.json')))) {
    for (const [name, { sha256 }] of Object.entries(of)) assert.equal(createHash('sha256').update(read(`vendor/${name}`)).digest('hex'), sha256, name);
  }
});

test('all of it is under 150 kB compressed', () => {
  const served = ['index.html', 'icon.svg', 'vendor/uplot.css', ...files('./', '.css'), ...modules, ...files('vendor/', '.js')];
  const bytes = served.reduce((sum, name) => sum + gzipSync(readFileSync(new URL(name, root)), { level: 9 }).length, 0);
  console.log(`${served.length} files, ${(bytes / 1000).toFixed(1)} kB compressed`);
  assert.ok(bytes < 150_000, `${bytes}`);
});
