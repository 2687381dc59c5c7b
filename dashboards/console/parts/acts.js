// What a person says about alerts: that he looks at them, that they are done, whether they were right. One alert or a storm of them.
import { get, post } from '../lib/api.js';
import { number } from '../lib/format.js';
import { t } from '../lib/i18n.js';
import { publish } from '../lib/live.js';
import { can, me } from '../lib/session.js';
import { html, signal, useState } from '../lib/view.js';
import { Dialog, toast } from './dialog.js';
import { Trouble } from './marks.js';

/** Where a keyboard would cover what it is for, it waits until it is asked for. */
const byTouch = matchMedia('(pointer: coarse)');
/** At most so many go in one request. */
const CHUNK = 1_000;
/** A storm is acted upon in one go up to here. */
const MANY_MAX = 20_000;

export const mayAct = () => can('write:feedback');

/** What is being asked: `{act, verdict, alerts | params, title}`; null while nothing is. */
const asked = signal(null);

/** The statuses at which an act still says something. */
const WHICH = { ack: { status: 'open' }, close: { status: 'open,acknowledged' }, feedback: { judged: 'false' } };

async function idsOf(params, act, onProgress) {
  const ids = [];
  let cursor;
  do {
    const page = await get('/v1/alerts', { ...params, ...WHICH[act], cursor, limit: CHUNK });
    ids.push(...page.alerts.map(({ id }) => id));
    cursor = page.next;
    onProgress(ids.length);
  } while (cursor && ids.length < MANY_MAX);
  return ids;
}

async function say(act, ids, body, onProgress = () => {}) {
  for (let from = 0; from < ids.length; from += CHUNK) {
    const some = ids.slice(from, from + CHUNK);
    if (ids.length === 1) await post(`/v1/alerts/${ids[0]}/${act}`, body);
    else await post(`/v1/alerts/${act}`, { ids: some, ...body });
    onProgress(from + some.length);
  }
}

/** Shows what was said at once; the stream says the same a moment later. */
function show(alerts, act, { verdict, why = '' }) {
  const said = { position: 0, at_ms: Date.now(), who: me.value.owner, claimed: '', why };
  const change = {
    ack: (alert) => ({ status: 'acknowledged', assignee: me.value.owner, acknowledged: alert.acknowledged ?? said, closed: null }),
    close: () => ({ status: 'closed', closed: said }),
    feedback: () => ({ verdict, judged: said }),
  }[act];
  alerts.forEach((alert) => publish({ event: 'change', data: { ...alert, ...change(alert) } }));
}

const done = (act, count, verdict) => toast(act === 'feedback' ? t('done.feedback', { n: count, verdict: t(`verdict.${verdict}`) }) : t(`done.${act}`, { n: count }));

/** Takes alerts up, with no question asked. */
export async function acknowledge(alerts) {
  try {
    await say('ack', alerts.map(({ id }) => id), {});
    show(alerts, 'ack', {});
    done('ack', alerts.length);
  } catch (problem) {
    toast(t('failed', { why: problem.detail || t('problem.unreachable') }), 'failed');
  }
}

/** Asks for the reason, then says it. `params`: all alerts that are so, however many. */
export function ask(act, { alerts, params, count, verdict, title }) {
  asked.value = { act, alerts, params, count, verdict, title };
}

const REASONS = {
  ack: ['reason.looking'],
  close: ['reason.handled', 'reason.outage', 'reason.rule', 'reason.duplicate'],
  true_positive: ['reason.confirmed', 'reason.evidence', 'reason.repeat'],
  false_positive: ['reason.owner', 'reason.test', 'reason.outage', 'reason.rule'],
  unsure: ['reason.unreachable', 'reason.unclear'],
};

function ActDialog({ act, alerts, params, count, verdict, title }) {
  const [why, setWhy] = useState('');
  const [judged, setJudged] = useState(verdict ?? null);
  const [alsoClose, setAlsoClose] = useState(act === 'feedback');
  const [state, setState] = useState({ busy: false, problem: null, progress: 0 });
  const close = () => state.busy || (asked.value = null);
  const n = alerts ? alerts.length : count;

  async function send(event) {
    event.preventDefault();
    setState({ busy: true, problem: null, progress: 0 });
    const progress = (progress) => setState({ busy: true, problem: null, progress });
    try {
      const idsFor = async (one) => (alerts ? alerts.map(({ id }) => id) : idsOf(params, one, progress));
      const ids = await idsFor(act);
      await say(act, ids, act === 'feedback' ? { verdict: judged, why } : { why }, progress);
      if (alerts) show(alerts, act, { verdict: judged, why });
      if (act === 'feedback' && alsoClose) {
        await say('close', alerts ? ids : await idsFor('close'), { why }, progress);
        if (alerts) show(alerts.map((alert) => ({ ...alert, verdict: judged })), 'close', { why });
      }
      done(act, ids.length, judged);
      asked.value = null;
    } catch (problem) {
      setState({ busy: false, problem, progress: 0 });
    }
  }

  const reasons = REASONS[act === 'feedback' ? judged : act] ?? [];
  return html`
    <${Dialog} title=${t(`ask.${act}`, { n })} onClose=${close}>
      <form onSubmit=${send}>
        ${title && html`<p class="muted"><bdi>${title}</bdi></p>`}
        ${act === 'feedback' && html`
          <fieldset class="choices"><legend>${t('ask.verdict')}</legend>
            ${['true_positive', 'false_positive', 'unsure'].map((one) => html`
              <label class="choice ${one}"><input type="radio" name="verdict" required value=${one} checked=${judged === one} onChange=${() => setJudged(one)} /><span><strong>${t(`verdict.${one}`)}</strong><small>${t(`verdict.${one}.means`)}</small></span></label>
            `)}
          </fieldset>
        `}
        <label class="field"><span>${act === 'ack' ? t('ask.note') : t('ask.why')}</span>
          <textarea rows="2" maxlength="500" required=${act !== 'ack'} value=${why} onInput=${(event) => setWhy(event.target.value)} autofocus=${!byTouch.matches}></textarea>
        </label>
        <div class="quick">${reasons.map((key) => html`<button type="button" class="chip" onClick=${() => setWhy(t(key))}>${t(key)}</button>`)}</div>
        <p class="hint">${t('ask.private')}</p>
        ${act === 'feedback' && html`<label class="check"><input type="checkbox" checked=${alsoClose} onChange=${(event) => setAlsoClose(event.target.checked)} /> ${t('ask.close_too')}</label>`}
        ${state.problem && html`<${Trouble} problem=${state.problem} />`}
        <footer>
          ${state.busy && n > 1 && html`<span class="muted" role="status">${t('ask.progress', { done: state.progress, n })}</span>`}
          <button type="button" onClick=${close} disabled=${state.busy}>${t('act.cancel')}</button>
          <button type="submit" class="primary" disabled=${state.busy}>${t(`act.${act}`)}${n > 1 ? ` (${number(n)})` : ''}</button>
        </footer>
      </form>
    <//>
  `;
}

export const Acts = () => asked.value && html`<${ActDialog} ...${asked.value} />`;
