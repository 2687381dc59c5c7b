// Which alerts: from the address to what the service is asked, and whether one that arrives is among them.
import { DAY, HOUR } from './units.js';

export const SEVERITIES = ['SEV0', 'SEV1', 'SEV2', 'SEV3'];
export const PERIODS = { '1h': HOUR, '6h': 6 * HOUR, '24h': DAY, '7d': 7 * DAY, '30d': 30 * DAY, all: null };
export const VIEWS = ['list', 'rule', 'entity', 'storm'];
/** What a person means by a status; without one, what still needs somebody. */
export const STATUSES = { todo: 'open,acknowledged', open: 'open', acknowledged: 'acknowledged', closed: 'closed', any: undefined };
/** What became of the alert's delivery. */
export const KINDS = { told: { mode: 'active', retracted: 'false' }, shadow: { mode: 'shadow' }, retracted: { retracted: 'true' }, any: {} };
export const VERDICTS = ['true_positive', 'false_positive', 'unsure'];

/** The names of the address's query that narrow a list. */
export const NARROWING = ['severity', 'status', 'rule', 'area', 'entity', 'verdict', 'period', 'since_ms', 'until_ms', 'kind'];

/** What the service is asked for. `now` is what a period ends at. */
export function paramsOf(query, now) {
  const params = { rule: query.rule, area: query.area, entity: query.entity, severity: query.severity };
  params.status = STATUSES[query.status in STATUSES ? query.status : 'todo'];
  Object.assign(params, KINDS[query.kind in KINDS ? query.kind : 'told']);
  if (query.verdict === 'none') params.judged = 'false';
  else params.verdict = query.verdict;
  if (query.since_ms) Object.assign(params, { since_ms: Number(query.since_ms), until_ms: query.until_ms && Number(query.until_ms) });
  else {
    const period = PERIODS[query.period in PERIODS ? query.period : '24h'];
    if (period !== null) params.since_ms = now - period;
  }
  return Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined && value !== ''));
}

/** What of it the service can be asked for groups: it keeps no counts by verdict, nor of what was taken back. */
export function ofGroups({ verdict, judged, retracted, ...params }) {
  return params;
}

/** Whether an alert is one of those that the service would answer with. */
export function matches(params, alert) {
  const among = (list, value) => list === undefined || list.split(',').includes(value);
  return (
    among(params.severity, alert.severity) &&
    among(params.status, alert.status) &&
    among(params.verdict, alert.verdict) &&
    (params.judged === undefined || (params.judged === 'true') === (alert.verdict !== null)) &&
    (params.retracted === undefined || (params.retracted === 'true') === (alert.retracted !== null)) &&
    (params.mode === undefined || params.mode === alert.mode) &&
    (params.rule === undefined || params.rule === alert.rule) &&
    (params.area === undefined || alert.rule.startsWith(`${params.area}.`)) &&
    (params.entity === undefined || params.entity === alert.entity) &&
    (params.since_ms === undefined || alert.opened_at_ms >= params.since_ms) &&
    (params.until_ms === undefined || alert.opened_at_ms < params.until_ms)
  );
}

/**
 * What somebody typed into the one field: an alert's id, an entity, a rule, an area; `null` where it is none of them.
 * `rules` are the known rules' ids.
 */
export function meant(text, rules) {
  const typed = text.trim();
  const named = /^(rule|area|entity):(.+)$/.exec(typed);
  if (named && (named[1] !== 'entity' || named[2].includes(':'))) return { [named[1]]: named[2] };
  if (/^al_[a-z0-9]+$/.test(typed)) return { alert: typed };
  if (rules.includes(typed)) return { rule: typed };
  if (/^[a-z_]+:\S+$/.test(typed)) return { entity: typed };
  if (rules.some((rule) => rule.startsWith(`${typed}.`))) return { area: typed };
  const begun = rules.filter((rule) => rule.includes(typed));
  return typed && begun.length === 1 ? { rule: begun[0] } : null;
}
