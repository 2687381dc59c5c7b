// Whether the pipeline is well, and if not, what it is and which page says what to do.
import { get } from '../lib/api.js';
import { bytes, compact, dayTime, duration, number } from '../lib/format.js';
import { quantile, rate, troubles } from '../lib/health.js';
import { t } from '../lib/i18n.js';
import { href } from '../lib/route.js';
import { can } from '../lib/session.js';
import { html, useEffect, useState } from '../lib/view.js';
import { Chart } from '../parts/chart.js';
import { Icon } from '../parts/icons.js';
import { Age, RuleLink, Said, Trouble, Waiting } from '../parts/marks.js';

const EVERY_MS = 5_000;
const LOOKS_MAX = 240;
/** What was seen since the page was first opened: it goes on where one left it, if that was not long ago. */
let looks = [];

export function HealthPage() {
  const [state, setState] = useState({});
  const load = async () => {
    try {
      const status = await get('/v1/status');
      const look = { atMs: Date.now(), events: status.stats.log.events_total, lag: status.stats.worker.lag_ms };
      if (look.atMs - (looks.at(-1)?.atMs ?? 0) > 60_000 || look.events < looks.at(-1).events) looks = [];
      looks = [...looks.slice(-LOOKS_MAX), look];
      setState((before) => ({ ...before, status, looks, problem: null }));
    } catch (problem) {
      setState((before) => ({ ...before, problem }));
    }
  };
  useEffect(() => {
    load();
    const timer = setInterval(() => document.visibilityState === 'visible' && load(), EVERY_MS);
    if (can('admin')) {
      Promise.all([get('/v1/dead-letters', { limit: 20 }), get('/v1/parked', { limit: 20 })])
        .then(([dead, parked]) => setState((before) => ({ ...before, dead: dead.dead_letters, parked: parked.parked ?? parked })))
        .catch(() => {}); // the page stands without
    }
    return () => clearInterval(timer);
  }, []);
  const { status, problem } = state;
  if (!status) return html`<main class="page" id="main" tabindex="-1"><h1>${t('nav.health')}</h1>${problem ? html`<${Trouble} problem=${problem} retry=${load} />` : html`<${Waiting} />`}</main>`;
  const { stats } = status, wrong = troubles(status), isBad = wrong.some((one) => one.isBad);
  const perSecond = looks.length > 1 ? rate(looks.at(-2), looks.at(-1)) : null;
  const p99 = quantile(stats.latency.buckets, 0.99);
  return html`
    <main class="page health" id="main" tabindex="-1">
      <h1>${t('nav.health')}</h1>
      ${problem && html`<${Trouble} problem=${problem} retry=${load} />`}
      <p class="verdict-line ${stats.readiness.state !== 'ready' ? 'bad' : isBad ? 'warn' : 'good'}" role="status"><${Icon} name=${isBad ? 'warn' : 'check'} size=${22} />
        <span><strong>${t(stats.readiness.state !== 'ready' ? 'health.not_ready' : isBad ? 'health.troubled' : 'health.well')}</strong>
        <small><bdi>${status.instance}</bdi> · <bdi dir="ltr">${status.version}</bdi> · ${t('health.up', { time: duration(status.up_ms, true) })}</small></span></p>
      ${wrong.length > 0 && html`
        <section class="card"><h2>${t('health.wrong')}</h2><ul class="plain wrong">
          ${wrong.map(({ key, values, runbook, isBad: bad }) => html`
            <li class=${bad ? 'bad' : ''}><${Icon} name=${bad ? 'warn' : 'eye'} size=${16} /><span>${t(`trouble.${key}`, values.until_ms ? { ...values, until: dayTime(values.until_ms) } : values)}${values.rule && html` <${RuleLink} rule=${values.rule} />`}</span>
              ${runbook && html`<a class="runbook" href=${href('runbook', [runbook])}><${Icon} name="book" size=${16} />${t('runbook.short')}</a>`}</li>
          `)}
        </ul></section>
      `}
      <div class="figures">
        <${Figure} name="health.rate" value=${perSecond === null ? '–' : t('health.per_s', { n: Math.round(perSecond) })} />
        <${Figure} name="health.lag" value=${stats.worker.lag_records ? duration(stats.worker.lag_ms) : t('health.none')} note=${t('health.records', { n: stats.worker.lag_records })} />
        <${Figure} name="health.p99" value=${p99 === null ? '–' : p99 === Infinity ? '> 30 s' : `≤ ${duration(p99)}`} note=${t('health.p99_note')} />
        <${Figure} name="health.alerts" value=${compact(stats.alerts.by_status.open)} note=${t('health.of_alerts', { acknowledged: stats.alerts.by_status.acknowledged, closed: stats.alerts.by_status.closed })} />
        <${Figure} name="health.rules" value=${number(stats.ruleset.rules)} note=${t('health.pages', { n: stats.ruleset.pages.length })} />
        <${Figure} name="health.dead" value=${number(stats.worker.dead_letters_total)} />
        <${Figure} name="health.state" value=${stats.engine.state_bytes === null ? '–' : bytes(stats.engine.state_bytes)} />
        <${Figure} name="health.snapshot" value=${stats.snapshot.written_ms ? html`<${Age} ms=${stats.snapshot.written_ms} />` : t('health.no_snapshot')} note=${bytes(stats.snapshot.bytes)} />
      </div>
      <div class="columns">
        <div class="column">
          <section class="card"><h2>${t('health.over')}</h2>
            ${looks.length > 2 ? html`<${Chart} data=${series(looks)} height=${170} label=${t('health.over_label')} format=${compact} lines=${[{ label: t('health.rate'), color: '--accent', fill: '--accent-soft' }]} />` : html`<p class="muted">${t('health.gathering')}</p>`}
          </section>
          <section class="card"><h2>${t('health.sinks')}</h2><div class="scroll" tabindex="0" role="region" aria-label=${t('health.sinks')}>
            <table class="plain-table"><thead><tr><th scope="col">${t('health.sink')}</th><th scope="col">${t('health.line')}</th><th scope="col" class="num">${t('health.waiting')}</th><th scope="col" class="num">${t('health.oldest')}</th><th scope="col" class="num">${t('health.parked')}</th><th scope="col" class="num">${t('health.delivered')}</th></tr></thead>
              <tbody>${stats.sinks.map((sink) => html`<tr class=${sink.trouble || sink.refusing || sink.breaker !== 'closed' ? 'bad' : ''}><th scope="row"><bdi dir="ltr">${sink.name}</bdi></th><td>${sink.refusing ? t('sink.refusing') : sink.trouble ? html`<${Said}>${sink.trouble.why}<//>` : t(`breaker.${sink.breaker}`)}</td><td class="num">${number(sink.depth)}</td><td class="num">${sink.depth ? duration(sink.oldest_ms) : '–'}</td><td class="num">${number(sink.parked)}</td><td class="num">${compact(sink.delivered_total)}</td></tr>`)}</tbody></table></div>
          </section>
          <section class="card"><h2>${t('health.queues')}</h2><ul class="plain queues">
            ${[...stats.queues, { name: 'outbox', depth: stats.outbox.bytes, capacity: stats.outbox.bytes_max, isBytes: true }].map(({ name, depth, capacity, isBytes }) => html`
              <li><span dir="ltr">${name}</span><meter min="0" max=${capacity || 1} high=${(capacity || 1) * 0.8} value=${depth} aria-label=${name}></meter><span class="muted num">${isBytes ? `${bytes(depth)} / ${bytes(capacity)}` : `${number(depth)} / ${number(capacity)}`}</span></li>
            `)}
          </ul></section>
        </div>
        <div class="column">
          <section class="card"><h2>${t('health.sources')}</h2><ul class="plain sources">
            ${stats.sources.slice(0, 40).map((source) => {
              const refused = Object.values(source.refused).reduce((sum, one) => sum + one, 0);
              return html`<li class=${source.stopped || source.gaps_total ? 'bad' : ''}><bdi dir="ltr" class="mono">${source.stream}</bdi><span class="muted">${t('health.source', { n: source.records_total })}${source.lag_records ? ` · ${t('health.behind', { n: source.lag_records })}` : ''}${refused ? ` · ${t('health.refused', { n: refused })}` : ''}${source.gaps_total ? ` · ${t('health.gaps', { n: source.gaps_total })}` : ''}</span></li>`;
            })}
            ${stats.sources.length > 40 && html`<li class="muted">${t('health.more_sources', { n: stats.sources.length - 40 })}</li>`}
            ${stats.sources.length === 0 && html`<li class="muted">${t('health.no_sources')}</li>`}
          </ul></section>
          ${state.dead && html`<section class="card"><h2>${t('health.dead')}</h2>${state.dead.length ? html`<ul class="plain">${state.dead.map((one) => html`<li><strong><${Said}>${one.reason}<//></strong>${one.field && html` <code dir="ltr">${one.field}</code>`}<br /><small class="muted"><bdi dir="ltr">${one.stream}</bdi> · ${t('alert.position')} <bdi>${one.position}</bdi> · <${Age} ms=${one.arrival_ms} /></small></li>`)}</ul>` : html`<p class="muted">${t('health.no_dead')}</p>`}</section>`}
          ${state.parked && html`<section class="card"><h2>${t('health.parked_items')}</h2>${state.parked.length ? html`<ul class="plain">${state.parked.map((one) => html`<li><bdi dir="ltr" class="mono">${one.sink} ${one.seq}</bdi> <${Said}>${one.answer}<//></li>`)}</ul>` : html`<p class="muted">${t('health.no_parked')}</p>`}</section>`}
        </div>
      </div>
    </main>
  `;
}

const Figure = ({ name, value, note }) => html`<div class="figure"><span>${t(name)}</span><strong>${value}</strong>${note && html`<small class="muted">${note}</small>`}</div>`;

const series = (all) => [all.slice(1).map(({ atMs }) => atMs / 1000), all.slice(1).map((look, index) => rate(all[index], look))];
