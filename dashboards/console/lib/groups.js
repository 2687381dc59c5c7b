// Alerts in groups: one row for each rule, entity or storm, and what is in it, down to the alerts.
import { AlertList } from './alerts.js';
import { get } from './api.js';
import { SEVERITIES, matches, ofGroups } from './filter.js';
import { signal } from './view.js';

const GROUPS_MAX = 200;
/** A group of so many is shown alert by alert. */
const FEW = 5;
/** What a storm ends by: the service has the same. */
const STORM_GAP_MS = 30 * 60_000;

/** The filter that has just a group's alerts. */
export function within(params, by, group) {
  if (by === 'entity') return { ...params, entity: group.key };
  if (by === 'storm') return { ...params, rule: group.rule, since_ms: group.first_ms, until_ms: group.last_ms + 1 };
  return { ...params, rule: group.key };
}

/** The group that an alert which was opened just now belongs to, of those; `undefined` where it begins one. */
export function groupOf(groups, by, alert) {
  if (by !== 'storm') return groups.find((group) => group.key === (by === 'entity' ? alert.entity : alert.rule));
  return groups.find((group) => group.rule === alert.rule && alert.opened_at_ms - group.last_ms <= STORM_GAP_MS && group.first_ms - alert.opened_at_ms <= STORM_GAP_MS);
}

/** Counts an alert that was opened just now. */
export function count(group, alert, { since_ms, bucket_ms }) {
  group.alerts += 1;
  group.last_ms = Math.max(group.last_ms, alert.opened_at_ms);
  if (alert.status === 'open') {
    group.open += 1;
    group.oldest_open_ms = Math.min(group.oldest_open_ms ?? Infinity, alert.opened_at_ms);
  }
  if (SEVERITIES.indexOf(alert.severity) < SEVERITIES.indexOf(group.severity)) group.severity = alert.severity;
  if (alert.opened_at_ms >= group.newest.opened_at_ms) group.newest = alert;
  const bucket = Math.min(group.spark.length - 1, Math.max(0, Math.floor((alert.opened_at_ms - since_ms) / bucket_ms)));
  group.spark[bucket] += 1;
}

/** Where the group of that key stands; before all others where there was none. */
const place = (groups, { key }) => groups.findIndex((group) => group.key === key);

export class GroupList {
  constructor(by, params) {
    Object.assign(this, { by, params, groups: [], opened: new Map(), isLoading: false, isLoaded: false, problem: null, span: null, isOld: false });
    this.version = signal(0);
  }

  changed() {
    this.version.value += 1;
  }

  /** Counts anew. `inOrder`: somebody looks at a row, so all stay where they are, and what is new comes above them. */
  async reload(inOrder = false) {
    Object.assign(this, { isLoading: true, problem: null });
    this.changed();
    try {
      const { groups, ...span } = await this.#ask();
      if (inOrder) groups.sort((a, b) => place(this.groups, a) - place(this.groups, b));
      Object.assign(this, { groups, span, isLoaded: true, isOld: false });
      const keys = new Set(groups.map(({ key }) => key));
      for (const key of this.opened.keys()) if (!keys.has(key)) this.opened.delete(key);
    } catch (problem) {
      this.problem = problem;
    }
    this.isLoading = false;
    this.changed();
    await Promise.all([...this.opened.values()].map((inner) => inner instanceof GroupList && inner.reload(inOrder)));
  }

  async #ask() {
    const ask = (since_ms) => get('/v1/alerts/groups', { ...ofGroups(this.params), since_ms, by: this.by, limit: GROUPS_MAX });
    if (this.params.since_ms !== undefined) return ask(this.params.since_ms);
    // Without a beginning the service means a day. Of all times the stretches begin with the first alert, or all would lie in the last.
    const all = await ask(0);
    return all.groups.length ? ask(Math.min(...all.groups.map(({ first_ms }) => first_ms))) : all;
  }

  /** The filter that has just a group's alerts: those that are counted, from the whole hour on that the service counts from. */
  within(group) {
    const since = this.params.since_ms === undefined ? {} : { since_ms: Math.min(this.params.since_ms, this.span.since_ms) };
    return within({ ...this.params, ...since }, this.by, group);
  }

  /** A group's counts up to now, without the stretches that are yet to come. */
  spark(group) {
    const { since_ms, until_ms, bucket_ms } = this.span;
    return group.spark.slice(0, Math.max(1, Math.ceil((until_ms - since_ms) / bucket_ms)));
  }

  /** Opens or closes a group. A few alerts need no level between. */
  toggle(group) {
    if (this.opened.has(group.key)) this.opened.delete(group.key);
    else {
      const params = this.within(group);
      const isFlat = this.by === 'entity' || group.alerts <= FEW;
      const inner = isFlat ? new AlertList(params, 50) : new GroupList('entity', params);
      inner.reload().then(() => this.changed());
      this.opened.set(group.key, inner);
    }
    this.changed();
  }

  /**
   * Takes alerts that were opened or changed. What the counts cannot know is asked for again in a while: `isOld` says so.
   */
  take(opened, changed) {
    if (!this.isLoaded) return;
    for (const alert of opened.filter((one) => matches(this.params, one))) {
      const group = groupOf(this.groups, this.by, alert);
      this.span.until_ms = Math.max(this.span.until_ms, alert.opened_at_ms + 1);
      if (group) count(group, alert, this.span);
      else this.groups.unshift(this.#begun(alert));
      this.isOld = true;
    }
    if (changed.length) this.isOld = true;
    for (const inner of this.opened.values()) {
      if (inner instanceof GroupList) inner.take(opened, changed);
      else inner.take([...opened, ...changed], false);
    }
    this.changed();
  }

  #begun(alert) {
    const { entity, rule, severity, opened_at_ms } = alert;
    const key = this.by === 'entity' ? entity : this.by === 'storm' ? `${rule}@${opened_at_ms}` : rule;
    const group = { key, rule: this.by === 'entity' ? null : rule, severity, alerts: 0, open: 0, acknowledged: 0, first_ms: opened_at_ms, last_ms: opened_at_ms, oldest_open_ms: null, spark: new Array(24).fill(0), newest: alert };
    count(group, alert, this.span);
    return group;
  }

  /** What is to be drawn, one a row: groups, and below those that are open what is in them. */
  rows(depth = 0, path = '') {
    return this.groups.flatMap((group) => {
      const key = `${path}${group.key}`, inner = this.opened.get(group.key);
      const row = { kind: 'group', key, group, list: this, depth, isOpen: inner !== undefined };
      if (!inner) return [row];
      if (inner instanceof GroupList) return [row, ...(inner.isLoaded ? inner.rows(depth + 1, `${key}/`) : [{ kind: 'wait', key: `${key}/…`, depth: depth + 1 }])];
      const alerts = inner.rows.map((alert) => ({ kind: 'alert', key: `${key}/${alert.id}`, alert, depth: depth + 1 }));
      const end = inner.isLoaded ? !inner.isWhole && { kind: 'more', key: `${key}/more`, inner, depth: depth + 1 } : { kind: 'wait', key: `${key}/…`, depth: depth + 1 };
      return end ? [row, ...alerts, end] : [row, ...alerts];
    });
  }
}
