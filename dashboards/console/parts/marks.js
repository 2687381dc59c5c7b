// The small things that stand in rows everywhere: severity, status, verdict, entity, time.
import { ago, compact, entityParts, fullTime, percent, shortId, number } from '../lib/format.js';
import { has, t } from '../lib/i18n.js';
import { href } from '../lib/route.js';
import { nowMs } from '../lib/session.js';
import { html, signal } from '../lib/view.js';
import { Icon, SeverityShape } from './icons.js';

/** Moves on every ten seconds: ages are drawn again. */
export const tick = signal(0);
const goOn = () => document.visibilityState === 'visible' && (tick.value += 1);
setInterval(goOn, 10_000);
globalThis.document?.addEventListener?.('visibilitychange', goOn);

export const Severity = ({ severity }) => html`
  <span class="sev ${severity.toLowerCase()}" title=${t(`severity.${severity}`)}><${SeverityShape} severity=${severity} />${severity}</span>
`;

const STATUS_ICON = { open: 'alerts', acknowledged: 'eye', closed: 'check' };
export const Status = ({ alert }) => html`
  <span class="status ${alert.status}"><${Icon} name=${STATUS_ICON[alert.status]} size=${14} />${alert.status === 'acknowledged' && alert.assignee ? html`<bdi>${alert.assignee}</bdi>` : t(`status.${alert.status}`)}</span>
`;

const VERDICT_ICON = { true_positive: 'check', false_positive: 'close', unsure: 'more' };
export const Verdict = ({ verdict }) =>
  verdict && html`<span class="verdict ${verdict}"><${Icon} name=${VERDICT_ICON[verdict]} size=${14} />${t(`verdict.${verdict}`)}</span>`;

export const Mode = ({ alert }) => html`
  ${alert.mode === 'shadow' && html`<span class="tag">${t('mode.shadow')}</span>`}
  ${alert.retracted !== null && html`<span class="tag">${t('mode.retracted')}</span>`}
`;

export const RuleState = ({ state }) => html`<span class="rulestate ${state}">${t(`state.${state}`)}</span>`;
export const Advice = ({ advice }) => html`<span class="advice ${advice}">${t(`advice.${advice}`)}</span>`;
export const Level = ({ level }) => html`<span class="level ${level}">${t(`level.${level}`)}</span>`;

/** What kind of thing an entity is, in words where there are some. */
export const kindName = (kind) => (has(`kind.${kind}`) ? t(`kind.${kind}`) : kind);

export function Entity({ entity, plain = false, whole = false }) {
  const [kind, id] = entityParts(entity);
  const shown = entity === 'all:all' ? kindName('all') : html`<span class="kind">${kindName(kind)}</span> <bdi class="id" dir="ltr">${whole ? id : shortId(id)}</bdi>`;
  if (plain) return html`<span class="entity" title=${entity}>${shown}</span>`;
  return html`<a class="entity" href=${href('entity', [entity])} title=${entity}>${shown}</a>`;
}

export const RuleLink = ({ rule }) => html`<a class="rule" dir="ltr" href=${href('rule', [rule])}>${rule}</a>`;

/** What rules' authors wrote is in their language, whatever the page's is. */
export const Said = ({ children }) => html`<bdi class="said" lang="en">${children}</bdi>`;

/** An age that stays right. */
export function Age({ ms }) {
  tick.value; // drawn again with it
  return html`<time datetime=${new Date(ms).toISOString()} title=${fullTime(ms)}>${ago(ms, nowMs())}</time>`;
}

/** Counts over time, oldest first, as bars. */
export function Spark({ counts, label }) {
  const top = Math.max(1, ...counts), width = 100 / counts.length;
  const bars = counts.map((count, index) => (count ? `M${(index * width + width * 0.12).toFixed(2)} 24v${-Math.max(2, (22 * count) / top).toFixed(1)}h${(width * 0.76).toFixed(2)}V24z` : '')).join('');
  return html`
    <svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label=${label}>
      <path class="ground" d="M0 23.5h100" /><path class="bars" d=${bars} />
    </svg>
  `;
}

/** Fewer verdicts than this say little. */
const FEW = 30;

/** How often a rule was right, with what that is worth. */
export function Precision({ precision, long = false }) {
  if (!precision) return html`<span class="muted">${t('precision.none')}</span>`;
  const { value, low, high, of: judged } = precision;
  const few = judged < FEW;
  return html`
    <span class="precision ${few ? 'few' : ''}" title=${t('precision.title', { judged, low: percent(low), high: percent(high) })}>
      <span class="precision-value">${percent(value)}</span>
      <svg class="precision-bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
        <rect class="track" x="0" y="4" width="100" height="2" /><rect class="interval" x=${low * 100} y="2.5" width=${Math.max(1, (high - low) * 100)} height="5" /><rect class="point" x=${Math.min(98, Math.max(0, value * 100 - 1))} y="0" width="2.5" height="10" />
      </svg>
      <span class="precision-note">${few ? t('precision.few', { n: judged }) : long ? t('precision.of', { n: judged }) : `${percent(low)}–${percent(high)}`}</span>
    </span>
  `;
}

export const Count = ({ value }) => html`<span title=${number(value)}>${compact(value)}</span>`;

/** What went wrong, in words, with what can be done about it. */
export function Trouble({ problem, retry }) {
  const { status, detail } = problem;
  const key = status === 0 ? 'problem.unreachable' : has(`problem.${status}`) ? `problem.${status}` : 'problem.other';
  return html`
    <div class="trouble" role="alert">
      <${Icon} name="warn" />
      <div><strong>${t(key, { status: String(status) })}</strong>${detail && html`<p><${Said}>${detail}<//></p>`}</div>
      ${retry && html`<button type="button" onClick=${retry}>${t('act.retry')}</button>`}
    </div>
  `;
}

export const Waiting = () => html`<p class="waiting" role="status">${t('waiting')}</p>`;
