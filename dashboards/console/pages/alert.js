// One alert: what happened, how bad it is, whom it is about, why, and what to do about it.
import { get, part } from '../lib/api.js';
import { entityParts, fullTime, value } from '../lib/format.js';
import { t } from '../lib/i18n.js';
import { useKeys } from '../lib/keys.js';
import { listen } from '../lib/live.js';
import { back, goOn, href } from '../lib/route.js';
import { rules } from '../lib/rules.js';
import { riskOf } from '../lib/score.js';
import { can } from '../lib/session.js';
import { comparisons, whenOf } from '../lib/condition.js';
import { treeOf } from '../lib/condition_tree.js';
import { html, useEffect, useRef, useState } from '../lib/view.js';
import { acknowledge, ask, mayAct } from '../parts/acts.js';
import { AlertRow } from '../parts/alert_row.js';
import { Icon } from '../parts/icons.js';
import { Advice, Age, Entity, Level, Mode, RuleLink, Said, Severity, Status, Trouble, Verdict, Waiting } from '../parts/marks.js';
import { BackLink } from '../parts/back.js';
import { Tree } from '../parts/condition_tree.js';
import { RunbookLink } from '../parts/runbook_link.js';
import { around, lookAt } from './alerts.js';

const OTHERS = 8;

export function AlertPage({ parts: [id] }) {
  const [state, setState] = useState({});
  const rule = useRef(null);
  const set = (more) => setState((before) => ({ ...before, ...more }));
  const load = async (signal) => {
    try {
      const shown = await get(`/v1/alerts/${part(id)}`, {}, signal);
      set({ shown, problem: null });
      const { entity } = shown.info;
      rule.current = shown.info.rule;
      const [kind, key] = entityParts(entity);
      const quietly = (promise) => promise.catch(() => null); // the page stands without what is beside it
      const [risk, told, ofEntity, ofRule] = await Promise.all([
        can('read:risk') && kind !== 'all' ? quietly(get(`/v1/risk/${part(kind)}/${part(key)}`, {}, signal)) : null,
        quietly(get(`/v1/rules/${part(rule.current)}`, {}, signal)),
        entity === 'all:all' ? null : quietly(get('/v1/alerts', { entity, limit: OTHERS + 1 }, signal)),
        quietly(get('/v1/alerts', { rule: rule.current, limit: OTHERS + 1 }, signal)),
      ]);
      set({ risk: risk && riskOf(risk), rule: told, ofEntity, ofRule });
    } catch (problem) {
      if (!signal?.aborted) set({ problem });
    }
  };
  useEffect(() => {
    const own = new AbortController();
    load(own.signal);
    const stop = listen(({ event, data }) => {
      if (event === 'retraction' ? data.rule !== rule.current : event !== 'change' || data.id !== id) return;
      if (event === 'change') setState((before) => (before.shown ? { ...before, shown: { ...before.shown, info: data } } : before));
      // The history comes with it.
      get(`/v1/alerts/${part(id)}`, {}, own.signal).then((shown) => set({ shown }), () => {});
    });
    return () => {
      own.abort();
      stop();
    };
  }, [id]);

  // What the list knew is there at once.
  const info = state.shown?.info ?? around().find((one) => one.id === id);
  const step = (by) => {
    const rows = around(), at = rows.findIndex((one) => one.id === id);
    if (rows[at + by] === undefined || at < 0) return;
    lookAt(rows[at + by].id);
    goOn('alert', [rows[at + by].id]);
  };
  const about = (act, verdict) => () => info && mayAct() && (act === 'ack' ? acknowledge([info]) : ask(act, { alerts: [info], verdict, title: info.title }));
  useKeys({
    j: () => step(1), k: () => step(-1), Escape: back,
    a: about('ack'), c: about('close'), t: about('feedback', 'true_positive'), f: about('feedback', 'false_positive'), u: about('feedback', 'unsure'),
  });

  if (state.problem) return html`<main class="page" id="main" tabindex="-1"><${BackLink} /><${Trouble} problem=${state.problem} retry=${() => load()} /></main>`;
  if (!info) return html`<main class="page" id="main" tabindex="-1"><${BackLink} /><${Waiting} /></main>`;
  const { alert, history: said, forgotten } = state.shown ?? {};
  return html`
    <main class="page alert" id="main" tabindex="-1">
      <${BackLink} />
      <header class="alert-head ${info.severity.toLowerCase()}">
        <div class="alert-marks"><${Severity} severity=${info.severity} /><span class="sev-means">${t(`severity.${info.severity}`)}</span><${Mode} alert=${info} /><span class="space"></span><${Status} alert=${info} /><${Verdict} verdict=${info.verdict} /></div>
        <h1><${Said}>${info.title}<//></h1>
        <p class="alert-sub"><${Entity} entity=${info.entity} /> · <${RuleLink} rule=${info.rule} /> · <${Age} ms=${info.opened_at_ms} /> <span class="muted">(${fullTime(info.opened_at_ms)})</span></p>
      </header>
      ${info.retracted !== null && html`<p class="note warn"><${Icon} name="undo" />${t('alert.retracted')}</p>`}
      ${info.mode === 'shadow' && html`<p class="note"><${Icon} name="eye" />${t('alert.shadow')}</p>`}
      ${mayAct() && html`<${ActBar} info=${info} about=${about} />`}
      <div class="columns">
        <div class="column">
          <section class="card why"><h2>${t('alert.why')}</h2>
            <p class="explanation" dir="auto" lang="en">${info.explanation}</p>
            ${alert ? html`<${Values} alert=${alert} when=${state.rule ? whenOf(state.rule.text) : ''} />` : html`<${Waiting} />`}
          </section>
          ${alert && html`<section class="card todo"><h2>${t('alert.do')}</h2>
            ${alert.advice ? html`<p><${Advice} advice=${alert.advice} /> ${t(`advice.${alert.advice}.means`)}${alert.advice_until ? html` <span class="muted">${t('alert.advice_until', { time: fullTime(Date.parse(alert.advice_until)) })}</span>` : ''}</p>` : html`<p class="muted">${t('alert.no_advice')}</p>`}
            ${alert.runbook && html`<p><${RunbookLink} runbook=${alert.runbook} /></p>`}
            ${state.rule?.prose.false_positives && html`<details><summary>${t('rule.false_positives')}</summary><p dir="auto" lang="en">${state.rule.prose.false_positives}</p></details>`}
          </section>
          <${Timeline} info=${info} said=${said} forgotten=${forgotten} alert=${alert} />`}
        </div>
        <div class="column">
          <section class="card"><h2>${t('alert.whom')}</h2>
            <p class="big"><${Entity} entity=${info.entity} whole /></p>
            ${state.risk && html`<p><span class="score ${state.risk.level}">${state.risk.score}</span> <${Level} level=${state.risk.level} />${state.risk.advice && html` · <${Advice} advice=${state.risk.advice} />`}</p>`}
            ${state.risk === null && can('read:risk') && info.entity !== 'all:all' && html`<p class="muted">${t('risk.none')}</p>`}
            ${alert?.related.length > 0 && html`<h3>${t('alert.related')}</h3><ul class="plain">${alert.related.map((entity) => html`<li><${Entity} entity=${entity} /></li>`)}</ul>`}
          </section>
          ${info.entity !== 'all:all' && html`<${Others} title=${t('alert.of_entity')} answer=${state.ofEntity} id=${id} link=${href('alerts', [], { entity: info.entity, status: 'any', period: 'all' })} />`}
          <${Others} title=${t('alert.of_rule')} answer=${state.ofRule} id=${id} link=${href('alerts', [], { rule: info.rule, status: 'any', period: 'all' })} />
          ${alert && html`<details class="card more"><summary>${t('alert.more')}</summary>
            <dl class="facts">
              <dt>${t('alert.id')}</dt><dd><code>${info.id}</code></dd>
              <dt>${t('alert.event')}</dt><dd><code>${alert.event.source} ${alert.event.id}</code></dd>
              <dt>${t('alert.position')}</dt><dd><code>${alert.position}</code></dd>
              <dt>${t('alert.risk')}</dt><dd>${alert.risk}</dd>
              <dt>${t('alert.suppressed')}</dt><dd>${alert.suppressed_before}</dd>
              <dt>${t('alert.ruleset')}</dt><dd><code>${info.ruleset}</code></dd>
            </dl>
          </details>`}
        </div>
      </div>
    </main>
  `;
}

function ActBar({ info, about }) {
  return html`
    <div class="act-bar" role="group" aria-label=${t('alert.acts')}>
      ${info.status !== 'acknowledged' && html`<button type="button" class=${info.status === 'open' ? 'primary' : ''} onClick=${about('ack')}><${Icon} name="eye" size=${16} />${t(info.status === 'closed' ? 'act.reopen' : 'act.ack')}</button>`}
      <span class="verdicts" role="group" aria-label=${t('ask.verdict')}>
        ${['true_positive', 'false_positive', 'unsure'].map((one) => html`<button type="button" class=${one} aria-pressed=${info.verdict === one} onClick=${about('feedback', one)}>${t(`verdict.${one}`)}</button>`)}
      </span>
      ${info.status !== 'closed' && html`<button type="button" onClick=${about('close')}><${Icon} name="check" size=${16} />${t('act.close')}</button>`}
    </div>
  `;
}

/** What the condition saw: values beside the limits that they are held to, then everything else. */
function Values({ alert, when }) {
  const { values } = alert;
  const isOther = rules.value !== null && rules.value.ruleset !== alert.ruleset;
  const held = comparisons(values, when);
  const used = new Set(held.flatMap(({ names }) => names));
  const rest = Object.entries(values).filter(([name, what]) => !used.has(name) && what !== null);
  if (!Object.keys(values).length) return null;
  return html`
    ${held.length > 0 && html`
      <div class="scroll"><table class="values"><caption class="unseen">${t('alert.values')}</caption>
        <thead><tr><th scope="col">${t('values.name')}</th><th scope="col" class="num">${t('values.value')}</th><th scope="col">${t('values.limit')}</th><th scope="col"><span class="unseen">${t('values.met')}</span></th></tr></thead>
        <tbody>
          ${held.map(({ left, shown, sign, limit, limitName, met }) => html`
            <tr class=${met ? 'met' : ''}>
              <th scope="row"><code dir="ltr">${left}</code></th>
              <td class="num"><strong>${value(left, shown)}</strong></td>
              <td><span class="sign">${t(`sign.${sign}`)}</span> ${value(limitName ?? left, limit)}${limitName && html` <code class="muted" dir="ltr">${limitName}</code>`}</td>
              <td class="met-mark">${met === null ? '' : met ? html`<${Icon} name="check" size=${16} /><span class="unseen">${t('values.yes')}</span>` : html`<span class="muted">${t('values.no')}</span>`}</td>
            </tr>
          `)}
        </tbody>
      </table></div>
    `}
    ${isOther && html`<p class="hint">${t('values.changed')}</p>`}
    ${rest.length > 0 && html`
      <details class="rest" open=${held.length === 0}><summary>${t('values.rest', { n: rest.length })}</summary>
        <table class="values"><tbody>${rest.map(([name, what]) => html`<tr><th scope="row"><code dir="ltr">${name}</code></th><td><bdi>${value(name, what)}</bdi></td></tr>`)}</tbody></table>
      </details>
    `}
    ${when && html`<details class="rest" open=${held.length === 0}><summary>${t('alert.condition')}</summary><${Tree} node=${treeOf(when, values)} /></details>`}
  `;
}

function Timeline({ info, said, forgotten, alert }) {
  const word = ({ act }) => (act === 'close' ? t('said.close') : act.acknowledge ? (act.acknowledge.assignee ? t('said.assigned', { who: act.acknowledge.assignee }) : t('said.ack')) : t('said.verdict', { verdict: t(`verdict.${act.verdict}`) }));
  const icon = ({ act }) => (act === 'close' ? 'close' : act.acknowledge ? 'eye' : 'check');
  return html`
    <section class="card timeline"><h2>${t('alert.timeline')}</h2>
      <ol>
        <li><${Icon} name="alerts" size=${16} /><div><strong>${t('said.opened')}</strong> <${Age} ms=${info.opened_at_ms} />${alert.suppressed_before > 0 && html`<p class="muted">${t('alert.suppressed_said', { n: alert.suppressed_before })}</p>`}${alert.late && html`<p class="muted">${t('alert.late')}</p>`}</div></li>
        ${forgotten > 0 && html`<li class="muted">${t('said.forgotten', { n: forgotten })}</li>`}
        ${said.map((one) => html`
          <li><${Icon} name=${icon(one)} size=${16} /><div><strong>${word(one)}</strong> <span class="muted"><bdi>${one.said.who}</bdi>${one.said.claimed && html` (<bdi>${one.said.claimed}</bdi>)`} · <${Age} ms=${one.said.at_ms} /></span>${one.said.why && html`<p><bdi>${one.said.why}</bdi></p>`}</div></li>
        `)}
      </ol>
    </section>
  `;
}

export function Others({ title, answer, id, link }) {
  if (answer === null || answer === undefined) return null;
  const alerts = answer.alerts.filter((one) => one.id !== id).slice(0, OTHERS);
  return html`
    <section class="card others"><h2>${title}</h2>
      ${alerts.length === 0 ? html`<p class="muted">${t('alert.no_others')}</p>` : html`<ul class="plain rows">${alerts.map((one) => html`<li key=${one.id}><${AlertRow} alert=${one} /></li>`)}</ul>`}
      ${alerts.length > 0 && html`<p><a href=${link}>${t('alert.all_others')}</a></p>`}
    </section>
  `;
}
