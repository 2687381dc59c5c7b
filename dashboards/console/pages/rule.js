// One rule: what it looks for, how loud and how right it is, its file, and taking back what it did.
import { get, part, post } from '../lib/api.js';
import { dayTime, number } from '../lib/format.js';
import { t } from '../lib/i18n.js';
import { href } from '../lib/route.js';
import { loadRules } from '../lib/rules.js';
import { can, nowMs } from '../lib/session.js';
import { DAY, HOUR } from '../lib/units.js';
import { html, useEffect, useState } from '../lib/view.js';
import { Dialog, toast } from '../parts/dialog.js';
import { Icon } from '../parts/icons.js';
import { Precision, RuleState, Said, Severity, Spark, Trouble, Waiting } from '../parts/marks.js';
import { RunbookLink } from '../parts/runbook_link.js';
import { Yaml } from '../parts/yaml.js';
import { Others } from './alert.js';

export function RulePage({ parts: [id] }) {
  const [state, setState] = useState({});
  const [isRetracting, setRetracting] = useState(false);
  const load = async () => {
    try {
      const { rule, prose, text } = await get(`/v1/rules/${part(id)}`);
      setState((before) => ({ ...before, rule, prose, text, problem: null }));
      const of = await get('/v1/alerts', { rule: id, limit: 9 }).catch(() => null);
      setState((before) => ({ ...before, of }));
    } catch (problem) {
      setState({ problem });
    }
  };
  useEffect(() => void load(), [id]);
  const back = html`<p class="back"><a href=${href('rules')}><${Icon} name="chevron" size=${16} />${t('nav.rules')}</a></p>`;
  const { rule } = state;
  if (!rule) return html`<main class="page" id="main" tabindex="-1">${back}${state.problem ? html`<${Trouble} problem=${state.problem} retry=${load} />` : html`<${Waiting} />`}</main>`;
  const { verdicts } = rule, { text, prose } = state;
  const said = (key) => prose[key] && html`<h3>${t(`rule.${key}`)}</h3><p dir="auto" lang="en">${prose[key]}</p>`;
  return html`
    <main class="page" id="main" tabindex="-1">
      ${back}
      <header class="rule-head"><h1 dir="ltr">${rule.id}</h1><p><${Said}>${rule.title}<//></p>
        <p class="marks"><${RuleState} state=${rule.state} /><${Severity} severity=${rule.severity} />${rule.owner && html`<span class="tag">${t('rules.owner')}: <bdi>${rule.owner}</bdi></span>`}<span class="tag">${t('rule.entity')}: <bdi dir="ltr">${rule.entity}</bdi></span>${rule.pages && html`<span class="tag"><${Icon} name="alerts" size=${14} />${t('rule.pages')}</span>`}</p>
      </header>
      ${rule.state === 'braked' && html`<p class="note warn"><${Icon} name="warn" />${t('rule.braked')} <a href=${href('runbook', ['rule_braked'])}>${t('runbook.open', { name: 'rule braked' })}</a></p>`}
      ${rule.state === 'warming' && html`<p class="note"><${Icon} name="clock" />${t('rule.warming')}${rule.warming_until_ms ? ` ${t('alert.advice_until', { time: dayTime(rule.warming_until_ms) })}` : ''}</p>`}
      <div class="figures">
        <div class="figure"><span>${t('rules.hour')}</span><strong>${number(rule.alerts.hour)}</strong></div>
        <div class="figure"><span>${t('rules.last_day')}</span><strong>${number(rule.alerts.day)}</strong><${Spark} counts=${rule.spark} label=${t('group.spark', { n: rule.alerts.day })} /></div>
        <div class="figure"><span>${t('rules.last_week')}</span><strong>${number(rule.alerts.week)}</strong></div>
        <div class="figure"><span>${t('rules.open')}</span><strong>${number(rule.open)}</strong></div>
        <div class="figure"><span>${t('rules.suppressed')}</span><strong>${number(rule.suppressed)}</strong>${rule.errors > 0 && html`<small class="muted">${t('rules.errors', { n: rule.errors })}</small>`}</div>
        <div class="figure wide"><span>${t('rules.precision')}</span><${Precision} precision=${rule.precision} long />
          <small class="muted">${t('rule.verdicts', { right: verdicts.true_positive, wrong: verdicts.false_positive, unsure: verdicts.unsure })}</small></div>
      </div>
      <div class="columns">
        <div class="column">
          <section class="card prose"><h2>${t('rule.about')}</h2>
            ${prose.description && html`<p dir="auto" lang="en">${prose.description}</p>`}${said('false_positives')}${said('known_gaps')}
            ${rule.runbook && html`<p><${RunbookLink} runbook=${rule.runbook} /></p>`}
            ${prose.references.length > 0 && html`<h3>${t('rule.references')}</h3><ul class="plain">${prose.references.map((one) => html`<li>${/^https?:\/\//.test(one) ? html`<a href=${one} target="_blank" rel="noreferrer">${one}</a>` : html`<${Said}>${one}<//>`}</li>`)}</ul>`}
          </section>
          <${Others} title=${t('rule.alerts')} answer=${state.of} id="" link=${href('alerts', [], { rule: id, status: 'any', period: 'all', kind: 'any' })} />
          ${can('admin') && html`<section class="card danger"><h2>${t('retract.title')}</h2><p class="muted">${t('retract.about')}</p><button type="button" class="dangerous" onClick=${() => setRetracting(true)}><${Icon} name="undo" size=${16} />${t('retract.start')}</button></section>`}
        </div>
        <div class="column"><section class="card file"><h2><code dir="ltr">${rule.file}</code></h2><${Yaml} text=${text} label=${rule.file} /></section></div>
      </div>
      ${isRetracting && html`<${Retract} rule=${rule} onClose=${() => setRetracting(false)} onDone=${() => { setRetracting(false); load(); loadRules(true).catch(() => {}); }} />`}
    </main>
  `;
}

const BACK = { hour: HOUR, day: DAY, week: 7 * DAY };

/** In two steps: what and why, then what that comes to, to be said once more. */
function Retract({ rule, onClose, onDone }) {
  const [since, setSince] = useState('day'), [given, setGiven] = useState(''), [why, setWhy] = useState('');
  const [step, setStep] = useState({ second: false, busy: false, problem: null, typed: '' });
  const since_ms = since === 'given' ? Date.parse(given) : nowMs() - BACK[since];
  const send = async (event) => {
    event.preventDefault();
    if (!step.second) return setStep({ ...step, second: true });
    setStep({ ...step, busy: true, problem: null });
    try {
      const answer = await post('/v1/retract', { rule: rule.id, since_ms: Math.round(since_ms), why });
      toast(t(answer.in_force ? 'retract.done_in_force' : 'retract.done', { rule: rule.id }));
      onDone();
    } catch (problem) {
      setStep({ ...step, busy: false, problem });
    }
  };
  return html`
    <${Dialog} title=${t('retract.title')} onClose=${onClose}>
      <form onSubmit=${send}>
        ${!step.second ? html`
          <fieldset class="choices row"><legend>${t('retract.since')}</legend>
            ${['hour', 'day', 'week', 'given'].map((one) => html`<label class="choice"><input type="radio" name="since" checked=${since === one} onChange=${() => setSince(one)} /><span>${t(`retract.since.${one}`)}</span></label>`)}
          </fieldset>
          ${since === 'given' && html`<label class="field"><span>${t('retract.given')}</span><input type="datetime-local" required value=${given} onInput=${(event) => setGiven(event.target.value)} /></label>`}
          <label class="field"><span>${t('ask.why')}</span><textarea rows="2" required maxlength="500" value=${why} onInput=${(event) => setWhy(event.target.value)}></textarea></label>
          <p class="hint">${t('ask.private')}</p>
        ` : html`
          <p class="note warn"><${Icon} name="warn" />${t('retract.sure', { rule: rule.id, time: dayTime(since_ms) })}</p>
          <label class="field"><span>${t('retract.type', { rule: rule.id })}</span><input dir="ltr" autocomplete="off" spellcheck="false" required value=${step.typed} onInput=${(event) => setStep({ ...step, typed: event.target.value })} /></label>
        `}
        ${step.problem && html`<${Trouble} problem=${step.problem} />`}
        <footer><button type="button" onClick=${step.second ? () => setStep({ ...step, second: false }) : onClose} disabled=${step.busy}>${t(step.second ? 'nav.back' : 'act.cancel')}</button>
          <button type="submit" class=${step.second ? 'dangerous' : 'primary'} disabled=${step.busy || (step.second && step.typed !== rule.id)}>${t(step.second ? 'retract.title' : 'act.next')}</button></footer>
      </form>
    <//>
  `;
}
