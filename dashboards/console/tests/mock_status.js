// What the mock server says of itself, in the shape of `rasid status --output json`.
export function statusOf(book, mock) {
  const now = Date.now();
  mock.startedMs ??= now - 26 * 3_600_000;
  const up_ms = now - mock.startedMs;
  const by_status = { open: 0, acknowledged: 0, closed: 0 };
  book.alerts.forEach(({ info }) => (by_status[info.status] += 1));
  const events = 41_000_000 + Math.floor((now - mock.startedMs) * 1.24 + 40_000 * Math.sin(now / 40_000));
  const sink = (name, more) => ({
    name, depth: 0, oldest_ms: 0, parked: 0, delivered_total: 182_440, parked_total: 0, retries_total: 3, breaker: 'closed', refusing: false, standing: 0, trouble: null, ...more,
  });
  const source = (stream, more) => ({ stream, folder: null, offset: 1_204_331, lag_records: 0, records_total: 8_400_112, gaps_total: 0, errors_total: 0, refused: {}, stopped: null, ...more });
  return {
    version: '0.4.0', instance: 'rasid-1', started_ms: mock.startedMs, up_ms, restored: {},
    stats: {
      readiness: mock.notReady ? { state: 'not_ready', why: mock.notReady } : { state: 'ready' },
      log: { first: 2_100_000, next: 43_291_004, durable: 43_291_003, bytes: 9_812_000_000, segments: 151, events_total: events, controls_total: 412, ticks_total: 90_000, appended_bytes_total: 1, syncs_total: 1, sync_ms_max: 6 },
      sources: [source('fluvio:auth/0'), source('fluvio:gps/1', { lag_records: 214 }), source('http:payments', { offset: null, lag_records: null, refused: { rate: 4, signature: 1 } })],
      stream_notices: {}, ingest: { bodies_bytes: 12_000, bodies_bytes_max: 67_108_864, tokens_unusable: false },
      engine: {
        counters: { records: 43_290_000, events: 43_112_000, dead_letters: 2, duplicates: 171_000, duplicate_conflicts: 0, unknown_types: 0, late: 112, filter_errors: 0, evicted: 0, alerts: book.count, oversized_ids: 0, bad_events: 12, waits_lost: 0 },
        evicted: {}, rules: [], warming: [{ rule: 'auth.otp_drip', until_ms: now + 5 * 3_600_000 }], braked: [{ rule: 'auth.otp_fanout', shadow: false }], producers: [],
        state_bytes: 1_812_000_000, duplicate_reach_s: { gps: 5_400, other: 180_000 }, event_clock_ms: now - 1_400,
      },
      worker: { position: 43_291_003, committed: 43_291_003, lag_records: 12, lag_ms: 9, divergence_total: 0, replay_unknown_total: 0, replay_other_version_total: 0, excused_total: 0, lost_total: 0, dead_letters_total: 2, set_aside_total: 2 },
      snapshot: { position: 43_100_000, written_ms: now - 240_000, duration_ms: 810, bytes: 612_000_000, failures_total: 0 },
      outbox: { bytes: 4_100_000, bytes_max: 1_073_741_824, full: false, commits_total: 91_000 },
      alerts: { position: 43_291_003, from: 0, gaps: [], by_status, verdicts: {} },
      sinks: [
        sink('redis', { depth: 3, oldest_ms: 4 }),
        sink('core', { depth: 118, oldest_ms: 94_000, parked: 1, parked_total: 1, retries_total: 41, breaker: 'half_open', trouble: { why: 'last answer 503', for_ms: 94_000 } }),
        sink('alertmanager', { standing: 2, delivered_total: 311 }),
      ],
      redis: { policies: ['noeviction'], looked_total: 84_000, missing_total: 0, foreign_keys: 0, round_s: 600 },
      ruleset: { hash: book.ruleset, rules: book.rules.length, switches_total: 2, refused_total: 0, refused: false, pages: ['wave.money', 'wave.takeover', 'wave.refund'] },
      queues: [{ name: 'append', depth: 12, capacity: 8192 }, { name: 'commit', depth: 0, capacity: 64 }, { name: 'redis', depth: 3, capacity: 4096 }, { name: 'http', depth: 2, capacity: 256 }],
      latency: { buckets: [210_000, 1_800_000, 4_100_000, 2_900_000, 610_000, 120_000, 44_000, 9_000, 1_100, 210, 14, 2, 0, 0, 0], sum_us: 61_000_000_000 },
      clock: { jumps_total: 0, ahead_ms: 0 }, freshness: { lag_ms: 0, why: '' }, hindrances: [{ area: 'log', now: false, failures_total: 0 }],
    },
  };
}
