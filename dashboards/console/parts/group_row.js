// A storm in one row: how many, how bad, since when, and what can be done with all of it at once.
import { duration, number } from '../lib/format.js';
import { t } from '../lib/i18n.js';
import { href } from '../lib/route.js';
import { nowMs } from '../lib/session.js';
import { HOUR } from '../lib/units.js';
import { html } from '../lib/view.js';
import { ask, mayAct } from './acts.js';
import { Icon } from './icons.js';
import { Age, Count, Entity, Said, Severity, Spark, tick } from './marks.js';
import { Menu } from './menu.js';

/** The address that lists just these alerts. */
function linkTo(by, group, query) {
  const { view: _, ...rest } = query;
  if (by === 'entity') return href('alerts', [], { ...rest, entity: group.key });
  if (by === 'storm') return href('alerts', [], { ...rest, period: undefined, rule: group.rule, since_ms: group.first_ms, until_ms: group.last_ms + 1 });
  return href('alerts', [], { ...rest, rule: group.key });
}

/** For how long the oldest that is open has waited. Of a rule's alerts the service knows the hour. */
function waiting(group, by) {
  if (!group.open || group.oldest_open_ms === null) return null;
  const isHour = by === 'rule' && group.oldest_open_ms % HOUR === 0, isOne = group.alerts === 1;
  const since_ms = isOne ? group.newest.opened_at_ms : group.oldest_open_ms;
  return { ms: Math.max(0, nowMs() - since_ms), isUpTo: isHour && !isOne };
}

export function GroupRow({ row, query }) {
  tick.value; // ages
  const { group, list, depth, isOpen } = row, { by } = list;
  const params = list.within(group);
  const act = (what) => ask(what, { params, count: what === 'ack' ? group.open : group.alerts, title: group.newest.title });
  const waited = waiting(group, by);
  return html`
    <article class="row group-row depth-${depth}">
      <button type="button" class="row-toggle bare" data-main aria-expanded=${isOpen} onClick=${() => list.toggle(group)}>
        <${Icon} name=${isOpen ? 'down' : 'chevron'} size=${16} /><span class="unseen">${group.key}</span>
      </button>
      <${Severity} severity=${group.severity} />
      <div class="row-text">
        <div class="row-main" dir=${by === 'entity' ? undefined : 'auto'}>${by === 'entity' ? html`<${Entity} entity=${group.key} />` : html`<${Said}>${group.newest.title}<//>`}</div>
        <p class="row-why" dir="ltr">${by === 'entity' ? html`<${Said}>${group.newest.title}<//>` : html`<bdi class="row-rule">${group.rule}</bdi><${Said}>${group.newest.explanation}<//>`}</p>
      </div>
      <div class="row-spark"><${Spark} counts=${list.spark(group)} label=${t('group.spark', { n: group.alerts })} /></div>
      <div class="row-counts">
        <span><strong><${Count} value=${group.alerts} /></strong> ${t('group.alerts', { n: group.alerts })}</span>
        <span class=${group.open ? 'open' : 'muted'}>${t('group.open', { n: group.open })}${group.acknowledged ? html` · ${t('group.acknowledged', { n: group.acknowledged })}` : ''}</span>
      </div>
      <div class="row-age">
        <${Age} ms=${group.last_ms} />
        ${waited && html`<small class=${waited.ms - (waited.isUpTo ? HOUR : 0) > HOUR ? 'overdue' : ''} title=${t('group.oldest.title')}>${t(waited.isUpTo ? 'group.oldest.up_to' : 'group.oldest', { age: duration(waited.ms) })}</small>`}
      </div>
      <div class="row-menu">
        <${Menu} label=${t('group.acts')} button=${html`<${Icon} name="more" />`}>
          <a class="item" href=${linkTo(by, group, query)}><${Icon} name="filter" />${t('group.only')}</a>
          ${by !== 'entity' && html`<a class="item" href=${href('rule', [group.rule])}><${Icon} name="rules" />${t('group.rule')}</a>`}
          ${mayAct() && html`
            <button type="button" class="item" disabled=${!group.open} onClick=${() => act('ack')}><${Icon} name="eye" />${t('group.ack', { n: group.open })}</button>
            <button type="button" class="item" onClick=${() => act('feedback')}><${Icon} name="check" />${t('group.feedback', { n: group.alerts })}</button>
            <button type="button" class="item" onClick=${() => act('close')}><${Icon} name="close" />${t('group.close', { n: group.alerts })}</button>
          `}
        <//>
      </div>
    </article>
  `;
}
