// The alerts of the mock server, and what its answers are made of.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

export const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const SEVERITIES = ['SEV0', 'SEV1', 'SEV2', 'SEV3'];
const STORM_GAP = 30 * 60_000;

const hash = (text) => createHash('sha256').update(text).digest('hex');
const base32 = (text) => hash(text).replace(/[^a-z0-9]/g, '').slice(0, 26);

/** Durations as rule files write them, in seconds. */
const seconds = (text) => {
  const [, number, unit] = /^(\d+)(ms|s|m|h|d)/.exec(text ?? '24h') ?? [];
  return Number(number) * { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400 }[unit];
};

/** A few top-level fields of a rule file. No YAML is parsed: one-line scalars, and folded text. */
function rulesIn(folder) {
  const files = readdirSync(folder).filter((area) => statSync(join(folder, area)).isDirectory() && area !== 'lists')
    .flatMap((area) => readdirSync(join(folder, area)).filter((name) => name.endsWith('.yaml')).map((name) => `${area}/${name}`));
  return files.sort().map((file) => {
    const text = readFileSync(join(folder, file), 'utf8');
    const field = (name) => {
      const match = new RegExp(`^${name}: *(.*(?:\\n(?: +.*|))*)`, 'm').exec(text);
      return match?.[1].replace(/^>-?\s*/, '').replace(/\s+#.*$/gm, '').replace(/\s+/g, ' ').trim().replace(/^(["'])(.*)\1$/, '$2');
    };
    return {
      id: field('rule'), file, text, title: field('title'), severity: field('severity') ?? 'SEV3', mode: field('mode') ?? 'active', entity: field('entity') ?? '',
      runbook: field('runbook') ?? null, half_life_s: seconds(field('half_life')), pages: /\boncall\b/.test(field('deliver') ?? ''), warming_until_ms: null,
      owner: field('owner') ?? null,
      prose: {
        description: field('description') ?? null, owner: field('owner') ?? null, false_positives: field('false_positives') ?? null, known_gaps: field('known_gaps') ?? null,
        references: [...(field('references') ?? '').matchAll(/"([^"]+)"/g)].map(([, one]) => one),
      },
    };
  });
}

/** Wilson's interval of 95 %, as the service gives it. */
function wilson(right, all) {
  if (!all) return null;
  const z = 1.96, p = right / all, d = 1 + (z * z) / all;
  const centre = (p + (z * z) / (2 * all)) / d, half = (z * Math.sqrt((p * (1 - p)) / all + (z * z) / (4 * all * all))) / d;
  return { value: p, low: Math.max(0, centre - half), high: Math.min(1, centre + half), of: all };
}

export class Book {
  constructor(originals, rulesFolder, { count, nowMs }) {
    this.originals = originals;
    this.rules = rulesIn(rulesFolder);
    this.ruleset = originals[0].ruleset;
    this.alerts = []; // oldest first
    this.byId = new Map();
    this.byRule = new Map(); // of each rule and entity those that were opened, in no order
    this.byEntity = new Map();
    this.log = []; // {position, event, id}, in order
    this.position = 1_000;
    this.made = 0;
    this.told = () => {};
    const last = Math.max(...originals.map((alert) => Date.parse(alert.opened_at)));
    const rounds = Math.max(1, Math.ceil(count / originals.length));
    const shift = nowMs - 20_000 - last;
    const step = rounds > 1 ? Math.round((6 * DAY) / rounds) : 0;
    for (let round = rounds - 1; round >= 0; round--) {
      for (const alert of originals) this.#put(alert, Date.parse(alert.opened_at) + shift - round * step, round);
    }
    this.alerts.sort((a, b) => a.info.opened_at_ms - b.info.opened_at_ms || (a.info.id < b.info.id ? -1 : 1));
    this.alerts.forEach(({ info, alert }, index) => (info.position = alert.position = this.position + index));
    this.position += this.alerts.length;
    for (const kept of count ? this.alerts.splice(0, Math.max(0, this.alerts.length - count)) : []) {
      this.byId.delete(kept.info.id);
      for (const of of [this.byRule.get(kept.info.rule), this.byEntity.get(kept.info.entity)]) of.splice(of.indexOf(kept), 1);
    }
    this.#lived();
    this.deadLetters = [
      { position: 512, field: 'data.amount_minor', reason: 'expected an integer', arrival_ms: nowMs - 7_200_000, stream: 'http:payments', bytes: 412 },
      { position: 987, field: 'time', reason: 'not a time', arrival_ms: nowMs - 900_000, stream: 'fluvio:gps/1', bytes: 288 },
    ];
    this.parked = [{ sink: 'core', seq: 17, id: this.alerts[3].info.id, rule: this.alerts[3].info.rule, committed_ms: nowMs - 5 * HOUR, answer: '422 no such rule' }];
  }

  get count() {
    return this.alerts.length;
  }

  #put(original, openedAtMs, round) {
    const renamed = (entity) => (round && !/^(all|provider|region|carrier|phone_country|account):/.test(entity) ? `${entity.split(':')[0]}:x${round}_${entity.split(':')[1].slice(0, 14)}` : entity);
    const id = round ? `al_${base32(original.id + round)}` : original.id;
    const opened_at = new Date(openedAtMs).toISOString();
    const alert = { ...original, id, entity: renamed(original.entity), related: original.related.map(renamed), opened_at, event: { ...original.event } };
    if (original.advice_until) alert.advice_until = new Date(openedAtMs + Date.parse(original.advice_until) - Date.parse(original.opened_at)).toISOString();
    const { rule, ruleset, severity, mode, entity, title, explanation, risk } = alert;
    const info = {
      id, rule, ruleset, severity, mode, entity, opened_at_ms: openedAtMs, position: 0, title, explanation, risk, status: 'open', assignee: null,
      acknowledged: null, closed: null, verdict: null, judged: null, retracted: null,
    };
    const kept = { info, alert, history: [] };
    this.alerts.push(kept);
    this.byId.set(id, kept);
    for (const [map, key] of [[this.byRule, rule], [this.byEntity, entity]]) map.has(key) ? map.get(key).push(kept) : map.set(key, [kept]);
    return kept;
  }

  /** What people had said before: most of what is old is closed, with a verdict. */
  #lived() {
    const newest = this.alerts.at(-1).info.opened_at_ms;
    const whys = { true_positive: 'The owner did not know of it', false_positive: 'A call-centre phone', unsure: 'Nobody could be reached' };
    this.alerts.forEach((kept) => {
      const age = newest - kept.info.opened_at_ms, dice = parseInt(hash(kept.info.id).slice(0, 6), 16) % 100;
      if (age < 3 * HOUR || dice >= 70) return;
      const at = kept.info.opened_at_ms + 600_000 + dice * 30_000;
      this.#take(kept, { acknowledge: { assignee: 'amal' } }, { position: this.position, at_ms: at, who: 'amal', claimed: '', why: '' });
      if (dice >= 55) return;
      const verdict = dice < 38 ? 'true_positive' : dice < 50 ? 'false_positive' : 'unsure';
      this.#take(kept, { verdict }, { position: this.position, at_ms: at + 400_000, who: 'amal', claimed: '', why: whys[verdict] });
      this.#take(kept, 'close', { position: this.position, at_ms: at + 460_000, who: 'amal', claimed: '', why: 'Done' });
    });
  }

  #take(kept, act, said) {
    const { info } = kept;
    if (act === 'close') Object.assign(info, { status: 'closed', closed: said });
    else if (act.acknowledge) Object.assign(info, { status: 'acknowledged', assignee: act.acknowledge.assignee ?? said.who, acknowledged: info.acknowledged ?? said, closed: null });
    else Object.assign(info, { verdict: act.verdict, judged: said });
    kept.history.push({ act, said });
  }

  #note(event, kept) {
    const entry = { position: ++this.position, event, id: kept.info.id };
    this.log.push(entry);
    return entry;
  }

  /** Opens one more alert: the next of the originals, of now. */
  open(change = {}) {
    const original = { ...this.originals[(this.made * 37) % this.originals.length], ...change };
    const kept = this.#put({ ...original, id: `al_${base32(`live${this.made}`)}` }, Date.now(), 0);
    this.made += 1;
    // Among those of the same instant it stands by its id, as a page's cursor counts on.
    const { alerts } = this, isBefore = (other) => other.info.opened_at_ms === kept.info.opened_at_ms && other.info.id > kept.info.id;
    for (let at = alerts.length - 1; at > 0 && isBefore(alerts[at - 1]); at--) [alerts[at - 1], alerts[at]] = [alerts[at], alerts[at - 1]];
    const entry = this.#note('alert', kept);
    kept.info.position = kept.alert.position = entry.position;
    this.told(entry);
    return kept.info;
  }

  say(ids, act, owner, { assignee, verdict, why = '' }) {
    const kept = ids.map((id) => this.byId.get(id));
    const entries = kept.map((one) => this.#note('change', one));
    const said = { position: this.position, at_ms: Date.now(), who: owner, claimed: '', why };
    const happened = { ack: { acknowledge: { assignee: assignee ?? null } }, close: 'close', feedback: { verdict } }[act];
    kept.forEach((one) => this.#take(one, happened, said));
    entries.forEach((entry) => this.told(entry));
    return { position: this.position, alerts: ids };
  }

  retract({ rule, since_ms, why }) {
    const position = ++this.position;
    const of = this.alerts.filter(({ info }) => info.rule === rule && info.opened_at_ms >= since_ms);
    of.forEach((kept) => (kept.info.retracted = position));
    const entry = { position, event: 'retraction', data: { position, rule, since_ms } };
    this.log.push(entry);
    this.told(entry);
    return { position, id: `retract_${position}`, in_force: true, why };
  }

  since(position) {
    return this.log.filter((entry) => entry.position > position);
  }

  info(id) {
    return this.byId.get(id).info;
  }

  shown(id) {
    const kept = this.byId.get(id);
    return kept && { info: kept.info, alert: kept.alert, history: kept.history, forgotten: 0 };
  }

  #wanted(query) {
    const one = (name) => query.get(name) || null, many = (name) => one(name)?.split(',');
    const [rule, area, entity, mode, verdict] = ['rule', 'area', 'entity', 'mode', 'verdict'].map(one);
    const [severity, status] = ['severity', 'status'].map(many);
    const judged = one('judged'), retracted = one('retracted');
    const since = Number(one('since_ms') ?? -Infinity), until = Number(one('until_ms') ?? Infinity);
    return (info) =>
      (!rule || info.rule === rule) && (!area || info.rule.startsWith(`${area}.`)) && (!entity || info.entity === entity) && (!mode || info.mode === mode) &&
      (!verdict || info.verdict === verdict) && (!severity || severity.includes(info.severity)) && (!status || status.includes(info.status)) &&
      (judged === null || (judged === 'true') === (info.verdict !== null)) && (retracted === null || (retracted === 'true') === (info.retracted !== null)) &&
      info.opened_at_ms >= since && info.opened_at_ms < until;
  }

  list(query) {
    const wanted = this.#wanted(query), limit = Math.min(1000, Number(query.get('limit') ?? 100));
    const [atMs, atId] = (query.get('cursor') ?? '').split('.');
    const alerts = [];
    let next = null;
    for (let index = this.alerts.length - 1; index >= 0; index--) {
      const { info } = this.alerts[index];
      if (atId && (info.opened_at_ms > Number(atMs) || (info.opened_at_ms === Number(atMs) && info.id >= atId))) continue;
      if (!wanted(info)) continue;
      if (alerts.length === limit) {
        next = `${alerts.at(-1).opened_at_ms}.${alerts.at(-1).id}`;
        break;
      }
      alerts.push(info);
    }
    return { alerts, next };
  }

  groups(query) {
    const by = query.get('by') ?? 'rule', limit = Number(query.get('limit') ?? 50);
    const newest = this.alerts.at(-1).info.opened_at_ms;
    // In whole hours, as the service counts.
    const until_ms = Number(query.get('until_ms') ?? newest + 1), whole = Math.ceil(until_ms / HOUR) * HOUR;
    const since_ms = Math.floor(Number(query.get('since_ms') ?? whole - DAY) / HOUR) * HOUR;
    const bucket_ms = Math.max(1, Math.ceil((whole - since_ms) / HOUR / 24)) * HOUR;
    const hour = by === 'rule' && !query.get('entity') ? (ms) => Math.floor(ms / HOUR) * HOUR : (ms) => ms;
    const period = new URLSearchParams(query);
    period.delete('since_ms');
    const wanted = this.#wanted(period), found = new Map(), storms = new Map();
    for (const { info } of this.alerts) {
      if (!wanted(info) || info.opened_at_ms < since_ms || info.opened_at_ms >= until_ms) continue;
      let key = by === 'entity' ? info.entity : info.rule;
      if (by === 'storm') {
        const before = storms.get(info.rule);
        key = before && info.opened_at_ms - before.at <= STORM_GAP ? before.key : `${info.rule}@${info.opened_at_ms}`;
        storms.set(info.rule, { key, at: info.opened_at_ms });
      }
      let group = found.get(key);
      if (!group) {
        group = { key, rule: by === 'entity' ? null : info.rule, alerts: 0, open: 0, acknowledged: 0, severity: info.severity, first_ms: hour(info.opened_at_ms), spark: new Array(24).fill(0), oldest_open_ms: null };
        found.set(key, group);
      }
      group.alerts += 1;
      if (info.status === 'acknowledged') group.acknowledged += 1;
      if (info.status === 'open') {
        group.open += 1;
        group.oldest_open_ms ??= hour(info.opened_at_ms);
      }
      if (SEVERITIES.indexOf(info.severity) < SEVERITIES.indexOf(group.severity)) group.severity = info.severity;
      Object.assign(group, { last_ms: info.opened_at_ms, newest: info });
      group.spark[Math.min(23, Math.floor((info.opened_at_ms - since_ms) / bucket_ms))] += 1;
    }
    const groups = [...found.values()].sort((a, b) => b.last_ms - a.last_ms).slice(0, limit);
    return { groups, since_ms, until_ms, bucket_ms, cut: false };
  }

  ruleInfos() {
    return this.rules.map((rule) => this.ruleInfo(rule));
  }

  ruleInfo({ text, prose, ...rule }) {
    const newest = this.alerts.at(-1).info.opened_at_ms;
    const of = (this.byRule.get(rule.id) ?? []).map(({ info }) => info);
    const within = (ms) => of.filter((info) => info.opened_at_ms > newest - ms).length;
    const spark = new Array(24).fill(0);
    of.forEach((info) => {
      const hour = Math.floor((newest - info.opened_at_ms) / HOUR);
      if (hour < 24) spark[23 - hour] += 1;
    });
    const verdicts = { true_positive: 0, false_positive: 0, unsure: 0 };
    of.forEach((info) => info.verdict && (verdicts[info.verdict] += 1));
    const state = rule.id === 'auth.otp_drip' ? 'warming' : rule.id === 'auth.otp_fanout' ? 'braked' : rule.mode;
    return {
      ...rule, state, alerts: { hour: within(HOUR), day: within(DAY), week: within(7 * DAY) }, spark, open: of.filter(({ status }) => status === 'open').length, suppressed: of.length * 3, errors: 0, verdicts,
      precision: wilson(verdicts.true_positive, verdicts.true_positive + verdicts.false_positive),
    };
  }

  ruleShown(id) {
    const rule = this.rules.find((one) => one.id === id);
    if (!rule) return null;
    return { rule: this.ruleInfo(rule), prose: rule.prose, text: rule.text };
  }

  /** Those about an entity, oldest first. */
  #about(entity) {
    return (this.byEntity.get(entity) ?? []).toSorted((a, b) => a.info.opened_at_ms - b.info.opened_at_ms);
  }

  /** As the contract's section 4 has it: one reason a rule, each alert adds to what is left of it. */
  risk(entity) {
    const now = Date.now(), reasons = new Map();
    let advice = null, advice_until_ms = null;
    for (const { info, alert } of this.#about(entity)) {
      if (info.mode !== 'active' || info.retracted || !alert.risk) continue;
      const half_life_s = this.rules.find((rule) => rule.id === info.rule)?.half_life_s ?? 86_400;
      const before = reasons.get(info.rule), left = before ? before.r * 2 ** (-Math.max(0, info.opened_at_ms - before.at_ms) / 1000 / half_life_s) : 0;
      reasons.set(info.rule, { rule: info.rule, r: 1 - (1 - left) * (1 - alert.risk / 100), at_ms: info.opened_at_ms, half_life_s });
      if (alert.advice && Date.parse(alert.advice_until) > now) [advice, advice_until_ms] = [alert.advice, Date.parse(alert.advice_until)];
    }
    if (!reasons.size) return null;
    const left = [...reasons.values()].reduce((product, { r, at_ms, half_life_s }) => product * (1 - r * 2 ** (-Math.max(0, now - at_ms) / 1000 / half_life_s)), 1);
    const score = Math.round(100 * (1 - left));
    const level = score >= 85 ? 'critical' : score >= 60 ? 'high' : score >= 30 ? 'medium' : 'low';
    return {
      entity, score, level, as_of: now, high_until: score >= 60 ? now + 5 * HOUR : null,
      reasons: [...reasons.values()].map(({ r, at_ms, ...reason }) => ({ ...reason, at: at_ms, risk: Math.round(10_000 * r) / 100 })), advice, advice_until: advice_until_ms, version: now, ruleset: this.ruleset,
    };
  }

  entity(entity) {
    const of = this.#about(entity).reverse().slice(0, 100);
    const related = new Map();
    of.forEach(({ alert }) => alert.related.forEach((other) => related.set(other, (related.get(other) ?? 0) + 1)));
    const sorted = [...related].sort((a, b) => b[1] - a[1]).slice(0, 50).map(([other, alerts]) => ({ entity: other, alerts }));
    return { entity, risk: this.risk(entity), alerts: of.map(({ info }) => info), related: sorted };
  }
}
