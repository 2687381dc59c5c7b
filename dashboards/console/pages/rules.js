// All rules: what each does, how loud it is, and how right.
import { t } from '../lib/i18n.js';
import { useKeys } from '../lib/keys.js';
import { href, setQuery } from '../lib/route.js';
import { loadRules, rules } from '../lib/rules.js';
import { html, useEffect, useMemo, useState } from '../lib/view.js';
import { Icon } from '../parts/icons.js';
import { Count, Precision, RuleState, Said, Severity, Spark, Trouble, Waiting } from '../parts/marks.js';

/** Rows that are drawn at once; the others follow frame by frame, so that nobody waits for what he does not see. */
const AT_ONCE = 14;

const STATES = ['active', 'shadow', 'warming', 'braked', 'off'];
/** The folder that it stands in. */
const areaOf = ({ id }) => id.split('.')[0];
const ORDERS = {
  day: (a, b) => b.alerts.day - a.alerts.day || b.alerts.week - a.alerts.week,
  name: (a, b) => (a.id < b.id ? -1 : 1),
  severity: (a, b) => (a.severity < b.severity ? -1 : a.severity > b.severity ? 1 : 0),
  // The worst first; what nobody judged says nothing, and comes last.
  precision: (a, b) => (a.precision?.value ?? 2) - (b.precision?.value ?? 2),
};

export function RulesPage({ query }) {
  const [problem, setProblem] = useState(null);
  const load = () => loadRules(true).then(() => setProblem(null), setProblem);
  useEffect(() => void load(), []);
  useKeys({ '/': () => document.querySelector('#find-rule')?.focus() });
  const known = rules.value?.rules;
  const order = query.order in ORDERS ? query.order : 'day';
  const shown = useMemo(() => {
    const words = (query.q ?? '').toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = (rule) =>
      (!query.area || areaOf(rule) === query.area) && (!query.state || rule.state === query.state) && (!query.owner || rule.owner === query.owner) &&
      words.every((word) => `${rule.id} ${rule.title} ${rule.owner ?? ''}`.toLowerCase().includes(word));
    return (known ?? []).filter(wanted).sort((a, b) => ORDERS[order](a, b) || ORDERS.name(a, b));
  }, [known, query.q, query.area, query.state, query.owner, order]);
  const [many, setMany] = useState(AT_ONCE);
  useEffect(() => setMany(AT_ONCE), [shown]);
  useEffect(() => {
    if (many >= shown.length) return undefined;
    const frame = requestAnimationFrame(() => setMany(many + 2 * AT_ONCE));
    return () => cancelAnimationFrame(frame);
  }, [many, shown]);
  if (!known) return html`<main class="page" id="main" tabindex="-1"><h1>${t('nav.rules')}</h1>${problem ? html`<${Trouble} problem=${problem} retry=${load} />` : html`<${Waiting} />`}</main>`;
  const areas = [...new Set(known.map(areaOf))].sort(), owners = [...new Set(known.map(({ owner }) => owner).filter(Boolean))].sort();
  const select = (name, values, say = (one) => one) => html`
    <label class="select ${query[name] ? 'set' : ''}"><span class="unseen">${t(`rules.${name}`)}</span>
      <select value=${query[name] ?? ''} onChange=${(event) => setQuery({ [name]: event.target.value || undefined })}>
        <option value="">${t(`rules.any_${name}`)}</option>${values.map((one) => html`<option value=${one} selected=${one === query[name]}>${say(one)}</option>`)}
      </select></label>
  `;
  const column = (name, label, cls = '') => html`<th scope="col" class=${cls} aria-sort=${order === name ? 'descending' : undefined}><button type="button" class="bare sort" onClick=${() => setQuery({ order: name === 'day' ? undefined : name })}>${label}${order === name && html`<${Icon} name="down" size=${12} />`}</button></th>`;
  const braked = known.filter(({ state }) => state === 'braked').length;
  return html`
    <main class="page rules-page" id="main" tabindex="-1">
      <h1>${t('nav.rules')} <small class="muted">${t('rules.count', { n: shown.length })}${braked ? ` · ${t('rules.braked', { n: braked })}` : ''}</small></h1>
      <div class="filters-more always">
        <div class="find"><${Icon} name="search" size=${16} /><input id="find-rule" type="search" aria-label=${t('rules.find')} placeholder=${t('rules.find')} value=${query.q ?? ''} onInput=${(event) => setQuery({ q: event.target.value || undefined })} /></div>
        ${select('area', areas)}${select('state', STATES, (one) => t(`state.${one}`))}${owners.length > 0 && select('owner', owners)}
      </div>
      ${problem && html`<${Trouble} problem=${problem} retry=${load} />`}
      <table class="rules">
        <thead><tr>${column('name', t('rules.rule'))}<th scope="col">${t('rules.state')}</th>${column('severity', t('filter.severity'))}${column('day', t('rules.alerts'), 'num')}<th scope="col">${t('rules.last_day')}</th>${column('precision', t('rules.precision'))}<th scope="col">${t('rules.owner')}</th></tr></thead>
        <tbody>
          ${shown.slice(0, many).map((rule) => html`
            <tr key=${rule.id}>
              <th scope="row"><a href=${href('rule', [rule.id])}><span dir="ltr" class="rule">${rule.id}</span></a>${rule.pages && html` <span class="pages" title=${t('rule.pages')}><${Icon} name="alerts" size=${14} /><span class="unseen">${t('rule.pages')}</span></span>`}<p><${Said}>${rule.title}<//></p></th>
              <td class="c-state"><${RuleState} state=${rule.state} /></td>
              <td class="c-sev"><${Severity} severity=${rule.severity} /></td>
              <td class="c-alerts num"><strong><${Count} value=${rule.alerts.day} /></strong><small class="muted">${t('rules.week', { n: rule.alerts.week })}${rule.open > 0 ? ` · ${t('group.open', { n: rule.open })}` : ''}</small></td>
              <td class="c-spark"><${Spark} counts=${rule.spark} label=${t('group.spark', { n: rule.alerts.day })} /></td>
              <td class="c-precision"><${Precision} precision=${rule.precision} /></td>
              <td class="c-owner">${rule.owner ? html`<bdi>${rule.owner}</bdi>` : html`<span class="muted">–</span>`}</td>
            </tr>
          `)}
        </tbody>
      </table>
      ${shown.length === 0 && html`<p class="empty">${t('rules.none')}</p>`}
    </main>
  `;
}
