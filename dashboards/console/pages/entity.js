// One entity: how much doubt there is, why, since when, and who stands beside it.
import { get, part } from '../lib/api.js';
import { dayTime, duration, fullTime, number } from '../lib/format.js';
import { t } from '../lib/i18n.js';
import { listen } from '../lib/live.js';
import { href } from '../lib/route.js';
import { loadRules } from '../lib/rules.js';
import { LEVELS, curve, left, riskOf } from '../lib/score.js';
import { nowMs } from '../lib/session.js';
import { DAY, HOUR, MINUTE } from '../lib/units.js';
import { html, useEffect, useMemo, useState } from '../lib/view.js';
import { AlertRow } from '../parts/alert_row.js';
import { BackLink } from '../parts/back.js';
import { Chart } from '../parts/chart.js';
import { Graph } from '../parts/graph.js';
import { Advice, Age, Entity, Level, RuleLink, Trouble, Waiting, tick } from '../parts/marks.js';

const SHOWN = 20;
/** New alerts of it are asked for this much later, all at once. */
const SETTLE_MS = 500;

export function EntityPage({ parts: [entity] }) {
  const [state, setState] = useState({});
  const load = async () => {
    try {
      const [shown, rules] = await Promise.all([get(`/v1/entities/${part(entity)}`), loadRules().catch(() => null)]);
      setState({ shown: { ...shown, risk: shown.risk && riskOf(shown.risk) }, halfLives: new Map(rules?.rules.map(({ id, half_life_s }) => [id, half_life_s])) });
    } catch (problem) {
      setState({ problem });
    }
  };
  useEffect(() => {
    load();
    let timer = 0;
    const stop = listen(({ event, data }) => {
      if (event === 'retraction' || ((event === 'alert' || event === 'change') && data.entity === entity)) timer ||= setTimeout(() => { timer = 0; load(); }, SETTLE_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [entity]);
  const back = html`<${BackLink} />`;
  if (state.problem) return html`<main class="page" id="main" tabindex="-1">${back}<${Trouble} problem=${state.problem} retry=${load} /></main>`;
  if (!state.shown) return html`<main class="page" id="main" tabindex="-1">${back}<${Waiting} /></main>`;
  const { risk, alerts, related } = state.shown;
  return html`
    <main class="page" id="main" tabindex="-1">
      ${back}
      <header class="entity-head"><h1><${Entity} entity=${entity} plain whole /></h1>
        ${risk ? html`<p class="score-line"><span class="score big ${risk.level}">${number(risk.score)}</span><span><${Level} level=${risk.level} />${risk.high_until_ms > nowMs() && html`<small class="muted">${t('risk.high_until', { time: dayTime(risk.high_until_ms) })}</small>`}</span>
          ${risk.advice && html`<span><${Advice} advice=${risk.advice} />${risk.advice_until_ms && html`<small class="muted">${t('alert.advice_until', { time: dayTime(risk.advice_until_ms) })}</small>`}</span>`}</p>` : html`<p class="muted">${t('risk.none')}</p>`}
      </header>
      <div class="columns">
        <div class="column">
          ${risk?.reasons.length > 0 && html`<${Reasons} risk=${risk} />`}
          <${Over} alerts=${alerts} halfLives=${state.halfLives} risk=${risk} />
        </div>
        <div class="column">
          <section class="card"><h2>${t('entity.related')}</h2>${related.length ? html`<${Graph} entity=${entity} related=${related} />` : html`<p class="muted">${t('entity.alone')}</p>`}</section>
          <section class="card others"><h2>${t('entity.alerts', { n: alerts.length })}</h2>
            ${alerts.length ? html`<ul class="plain rows">${alerts.slice(0, SHOWN).map((one) => html`<li key=${one.id}><${AlertRow} alert=${one} /></li>`)}</ul><p><a href=${href('alerts', [], { entity, status: 'any', period: 'all' })}>${t('alert.all_others')}</a></p>` : html`<p class="muted">${t('empty.all')}</p>`}
          </section>
        </div>
      </div>
    </main>
  `;
}

/** A bar a reason: what it was, what is left of it, and when half of that is gone. */
function Reasons({ risk }) {
  tick.value;
  const now = nowMs();
  const rows = risk.reasons.map((reason) => ({ ...reason, rest: 100 * left(reason, now) })).sort((a, b) => b.rest - a.rest);
  return html`
    <section class="card reasons"><h2>${t('risk.reasons')}</h2>
      <ul class="plain">
        ${rows.map(({ rule, risk: was, rest, at_ms, half_life_s }) => html`
          <li><div class="reason-line"><${RuleLink} rule=${rule} /><span class="space"></span><strong>${number(rest)}</strong> <span class="muted">${t('risk.of', { n: was })}</span></div>
            <svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true"><rect class="was" width=${was} height="6" /><rect class="is" width=${rest} height="6" /></svg>
            <small class="muted"><${Age} ms=${at_ms} /> · ${t('risk.half_life', { time: duration(half_life_s * 1000, true) })}</small></li>
        `)}
      </ul>
      <p class="hint">${t('risk.how')}</p>
    </section>
  `;
}

/** The score over time. Without the alerts' own risk (an older service) it is that of the reasons that stand. */
function Over({ alerts, halfLives, risk }) {
  const until = Math.ceil(nowMs() / MINUTE) * MINUTE;
  const weighing = alerts.some((alert) => alert.risk > 0) ? alerts : (risk?.reasons ?? []).map(({ rule, risk: weight, at_ms }) => ({ rule, risk: weight, opened_at_ms: at_ms, mode: 'active', retracted: null }));
  const first = Math.min(...weighing.map(({ opened_at_ms }) => opened_at_ms));
  const from = Math.max(until - 30 * DAY, Math.min(first - HOUR, until - 6 * HOUR));
  const data = useMemo(() => (Number.isFinite(first) ? curve(weighing, halfLives, from, until + (until - from) * 0.15) : null), [alerts, risk, until]);
  if (!data) return null;
  return html`
    <section class="card"><h2>${t('risk.over')}</h2>
      <${Chart} data=${data} height=${200} range=${() => [0, 100]} label=${t('risk.over_label', { n: data[1].at(-1), from: fullTime(from) })}
        lines=${[{ label: t('risk.score'), color: '--accent', fill: '--accent-soft' }]} marks=${LEVELS.slice(0, 3).map(([level, at]) => ({ at, color: `--level-${level}` }))} />
      <p class="hint">${t('risk.levels')}</p>
    </section>
  `;
}
