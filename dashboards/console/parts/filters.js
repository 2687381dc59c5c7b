// Which alerts one looks at. All of it is in the address.
import { NARROWING, PERIODS, SEVERITIES, STATUSES, VERDICTS, VIEWS, KINDS, meant } from '../lib/filter.js';
import { dayTime } from '../lib/format.js';
import { t } from '../lib/i18n.js';
import { go, setQuery } from '../lib/route.js';
import { loadRules, rules } from '../lib/rules.js';
import { html, useEffect, useState } from '../lib/view.js';
import { toast } from './dialog.js';
import { Icon, SeverityShape } from './icons.js';

function Find() {
  const [text, setText] = useState('');
  const known = rules.value?.rules.map(({ id }) => id) ?? [];
  const areas = [...new Set(known.map((id) => id.split('.')[0]))];
  function find(event) {
    event.preventDefault();
    const found = meant(text, known);
    if (!found) return toast(t('find.none', { text }), 'failed');
    setText('');
    document.activeElement?.blur();
    if (found.alert) go('alert', [found.alert]);
    else setQuery(found);
  }
  return html`
    <form class="find" role="search" onSubmit=${find}>
      <${Icon} name="search" size=${16} />
      <input id="find" type="search" list="find-known" value=${text} onInput=${(event) => setText(event.target.value)} onFocus=${() => loadRules().catch(() => {})}
        aria-label=${t('find.label')} placeholder=${t('find.label')} autocomplete="off" spellcheck="false" enterkeyhint="search" />
      <datalist id="find-known">${areas.map((area) => html`<option value=${area}>${t('find.area')}</option>`)}${known.map((id) => html`<option value=${id} />`)}</datalist>
    </form>
  `;
}

const Select = ({ name, values, value, otherwise, words = name }) => html`
  <label class="select ${value !== otherwise ? 'set' : ''}"><span class="unseen">${t(`filter.${name}`)}</span>
    <select value=${value} onChange=${(event) => setQuery({ [name]: event.target.value === otherwise ? undefined : event.target.value, ...(name === 'period' && { since_ms: undefined, until_ms: undefined }) })}>
      ${values.map((one) => html`<option value=${one} selected=${one === value}>${t(`${words}.${one}`)}</option>`)}
    </select>
  </label>
`;

export function Filters({ query }) {
  const [isOpen, setOpen] = useState(false);
  useEffect(() => void loadRules().catch(() => {}), []); // names to choose from; without them one still can write
  const severities = query.severity?.split(',') ?? [];
  const toggle = (severity) => {
    const after = severities.includes(severity) ? severities.filter((one) => one !== severity) : [...severities, severity].sort();
    setQuery({ severity: after.length && after.length < SEVERITIES.length ? after.join(',') : undefined });
  };
  const view = VIEWS.includes(query.view) ? query.view : 'list';
  const set = NARROWING.filter((name) => query[name]);
  const chips = ['rule', 'area', 'entity'].filter((name) => query[name]);
  return html`
    <section class="filters ${isOpen ? 'open' : ''}" aria-label=${t('filter.label')}>
      <div class="filters-first">
        <${Find} />
        <div class="segments views" role="group" aria-label=${t('view.label')}>
          ${VIEWS.map((one) => html`<button type="button" aria-pressed=${one === view} onClick=${() => setQuery({ view: one === 'list' ? undefined : one })}>${t(`view.${one}`)}</button>`)}
        </div>
        <button type="button" class="filters-toggle" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}><${Icon} name="filter" size=${16} />${t('filter.label')}${set.length ? ` · ${set.length}` : ''}</button>
      </div>
      <div class="filters-more">
        <div class="segments severities" role="group" aria-label=${t('filter.severity')}>
          ${SEVERITIES.map((one) => html`<button type="button" class="sev-choice ${one.toLowerCase()}" aria-pressed=${severities.includes(one)} title=${t(`severity.${one}`)} onClick=${() => toggle(one)}><${SeverityShape} severity=${one} />${one}</button>`)}
        </div>
        <${Select} name="status" words="only" values=${Object.keys(STATUSES)} value=${query.status in STATUSES ? query.status : 'todo'} otherwise="todo" />
        <${Select} name="period" values=${[...Object.keys(PERIODS), ...(query.since_ms ? ['given'] : [])]} value=${query.since_ms ? 'given' : query.period in PERIODS ? query.period : '24h'} otherwise="24h" />
        ${view === 'list' && html`<${Select} name="verdict" words="judged" values=${['any', 'none', ...VERDICTS]} value=${query.verdict ?? 'any'} otherwise="any" />`}
        <${Select} name="kind" words="delivery" values=${Object.keys(KINDS).filter((one) => view === 'list' || one !== 'retracted')} value=${query.kind in KINDS ? query.kind : 'told'} otherwise="told" />
        ${set.length > 0 && html`<button type="button" class="bare clear" onClick=${() => go('alerts', [], { view: query.view })}>${t('filter.clear')}</button>`}
      </div>
      ${(chips.length > 0 || query.since_ms) && html`
        <div class="chips">
          ${chips.map((name) => html`<button type="button" class="chip set" onClick=${() => setQuery({ [name]: undefined })}>${t(`filter.${name}`)} <bdi dir="ltr">${query[name]}</bdi><${Icon} name="close" size=${14} /><span class="unseen">${t('filter.drop')}</span></button>`)}
          ${query.since_ms && html`<button type="button" class="chip set" onClick=${() => setQuery({ since_ms: undefined, until_ms: undefined })}>${dayTime(Number(query.since_ms))} – ${query.until_ms ? dayTime(Number(query.until_ms)) : t('time.now')}<${Icon} name="close" size=${14} /><span class="unseen">${t('filter.drop')}</span></button>`}
        </div>
      `}
    </section>
  `;
}
