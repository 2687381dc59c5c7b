// What is wrong with the service, out of what it says of itself (`rasid status --output json`). The same points as the command's lines, each with its runbook.
import { duration } from './format.js';

/** Something is always to be known of events that come again, s. */
const ALWAYS_S = 1_800;
/** Upper bounds of the latency's buckets, ms, as the service counts them. */
export const LATENCY_BOUNDS_MS = [1, 2, 5, 10, 15, 20, 30, 50, 100, 250, 500, 1_000, 5_000, 30_000];

/** `[{key, values, runbook, isBad}]`, the worst first: `key` is a word of the page. */
export function troubles({ stats }) {
  const found = [];
  const add = (isBad, key, runbook, values = {}) => found.push({ isBad, key, runbook, values });
  const { readiness, freshness, worker, outbox, ruleset, engine, sources, sinks, redis, clock, alerts, ingest, hindrances } = stats;
  if (readiness.state !== 'ready') add(true, 'not_ready', null, { why: readiness.why });
  if (outbox.full) add(true, 'outbox_full', 'sink_down');
  for (const { area, now } of hindrances ?? []) if (now) add(true, 'hindered', 'disk_full', { area });
  for (const { stopped } of sources) if (stopped) add(true, 'stopped', 'stream_stopped', { why: stopped });
  for (const { stream, gaps_total } of sources) if (gaps_total) add(true, 'gaps', 'stream_gap', { stream, n: gaps_total });
  for (const { name, refusing, trouble, breaker } of sinks) {
    if (refusing) add(true, 'refusing', 'sink_refusing', { sink: name });
    if (trouble) add(true, 'sink_down', 'sink_down', { sink: name, why: trouble.why, for: duration(trouble.for_ms) });
    else if (breaker !== 'closed') add(true, 'breaker', 'sink_down', { sink: name });
  }
  if (worker.divergence_total) add(true, 'divergence', 'replay_divergence', { n: worker.divergence_total });
  if (worker.lost_total) add(true, 'lost', 'log_damaged', { n: worker.lost_total });
  if (ruleset.refused) add(true, 'ruleset_refused', 'ruleset_refused');
  if (ingest?.tokens_unusable) add(true, 'tokens_unusable', 'producer_refused');
  if (freshness.why) add(true, 'stale', 'pipeline_lag', { why: freshness.why, for: duration(freshness.lag_ms) });
  if (redis?.policies.some((policy) => policy !== 'noeviction')) add(true, 'forgets', 'redis_forgets', { policy: redis.policies.join(', ') });
  if (redis?.missing_total) add(false, 'forgot', 'redis_forgets', { n: redis.missing_total });
  if (redis?.foreign_keys) add(false, 'foreign', 'redis_forgets', { n: redis.foreign_keys });
  if (clock.ahead_ms) add(true, 'clock', 'clock_jump', { by: duration(Math.abs(clock.ahead_ms)) });
  for (const { rule, shadow } of engine.braked) add(false, shadow ? 'braked_shadow' : 'braked', 'rule_braked', { rule });
  for (const { rule, until_ms } of engine.warming) add(false, 'warming', null, { rule, until_ms });
  if (worker.set_aside_total) add(false, 'aside', 'dead_letters', { n: worker.set_aside_total });
  for (const { name, parked } of sinks) if (parked) add(false, 'parked', 'sink_refusing', { sink: name, n: parked });
  if (engine.counters.unknown_types) add(false, 'unknown', null, { n: engine.counters.unknown_types });
  for (const [kind, reach_s] of Object.entries(engine.duplicate_reach_s ?? {})) if (reach_s < ALWAYS_S) add(false, 'reach', 'duplicates_forgotten', { kind, for: duration(reach_s * 1000) });
  for (const [first, last] of alerts.gaps) add(false, 'lacking', null, { first, last });
  return found.sort((a, b) => Number(b.isBad) - Number(a.isBad));
}

/** The bound below which that share of the durations lies, ms; null where there are none, Infinity beyond all bounds. */
export function quantile(buckets, share) {
  const all = buckets.reduce((sum, count) => sum + count, 0);
  let below = 0;
  for (const [index, count] of buckets.entries()) {
    below += count;
    if (all && below >= share * all) return LATENCY_BOUNDS_MS[index] ?? Infinity;
  }
  return null;
}

/** Events a second between two looks. */
export const rate = (before, after) => (after.atMs > before.atMs ? Math.max(0, ((after.events - before.events) * 1000) / (after.atMs - before.atMs)) : null);
