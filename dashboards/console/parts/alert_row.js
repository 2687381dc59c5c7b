// One alert in a list: what, whom, how bad, since when, and how far people have come with it.
import { t } from '../lib/i18n.js';
import { href } from '../lib/route.js';
import { html } from '../lib/view.js';
import { Age, Entity, Mode, Said, Severity, Status, Verdict } from './marks.js';

export function AlertRow({ alert, depth = 0, selected, onSelect, isNew }) {
  return html`
    <article class="row alert-row ${alert.status} ${isNew ? 'new' : ''} ${selected ? 'selected' : ''} depth-${depth}">
      ${onSelect && html`<label class="pick"><input type="checkbox" aria-label=${t('list.pick', { title: alert.title })} checked=${selected} onChange=${() => onSelect(alert)} /></label>`}
      <${Severity} severity=${alert.severity} />
      <div class="row-text">
        <a class="row-main" dir="auto" data-main href=${href('alert', [alert.id])}><${Said}>${alert.title}<//></a>
        <p class="row-why" dir="ltr"><bdi class="row-rule">${alert.rule}</bdi><${Said}>${alert.explanation}<//></p>
      </div>
      <div class="row-whom"><${Entity} entity=${alert.entity} /></div>
      <div class="row-marks"><${Mode} alert=${alert} /><${Verdict} verdict=${alert.verdict} /><${Status} alert=${alert} /></div>
      <div class="row-age"><${Age} ms=${alert.opened_at_ms} /></div>
    </article>
  `;
}
