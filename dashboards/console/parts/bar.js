// What stands above every page: where one can go, whether the line is live, who one is.
import { duration } from '../lib/format.js';
import { t } from '../lib/i18n.js';
import { hurry, live } from '../lib/live.js';
import { clock, lang, theme } from '../lib/prefs.js';
import { href, route } from '../lib/route.js';
import { byEvents, forget, me } from '../lib/session.js';
import { html, signal } from '../lib/view.js';
import { Icon } from './icons.js';
import { help } from './help.js';
import { Menu } from './menu.js';

const NAV = ['alerts', 'rules', 'health'];
const OF = { alert: 'alerts', entity: 'alerts', runbook: 'alerts', rule: 'rules' };

const Links = () => NAV.map((page) => {
  const isHere = (OF[route.value.page] ?? route.value.page) === page;
  return html`<a href=${href(page)} aria-current=${isHere ? 'page' : undefined}><${Icon} name=${page} /><span>${t(`nav.${page}`)}</span></a>`;
});

export const Tabs = () => html`<nav class="tabs" aria-label=${t('nav.label')}><${Links} /></nav>`;

const second = signal(0);
setInterval(() => live.value.state !== 'live' && (second.value += 1), 1_000);

/** Whether what one sees is of now. */
export function LiveSign() {
  const { state, sinceMs, retryMs } = live.value;
  second.value; // counts with it
  const lost = state === 'lost';
  const forMs = Date.now() - sinceMs;
  const text = lost ? t('live.lost', { for: duration(forMs) }) : t(`live.${state}`);
  const note = lost && retryMs > Date.now() ? t('live.retry', { in: duration(retryMs - Date.now() + 999) }) : state === 'live' && byEvents.value ? t('live.events') : '';
  return html`
    <button type="button" class="live ${state}" title=${note || t('live.title')} onClick=${hurry} disabled=${!lost}>
      <span class="dot" aria-hidden="true"></span><span class="live-text">${text}</span>${note && html`<span class="live-note">${note}</span>`}
    </button>
    <span class="unseen" role="status">${lost ? t('live.lost_said') : state === 'live' ? t('live.live_said') : ''}</span>
  `;
}

export function Choices() {
  const choice = (signal_, name, values) => html`
    <fieldset class="segments"><legend>${t(`pref.${name}`)}</legend>
      ${values.map((value) => html`<label><input type="radio" name=${name} checked=${signal_.value === value} onChange=${() => (signal_.value = value)} /><span>${t(`pref.${name}.${value}`)}</span></label>`)}
    </fieldset>
  `;
  return html`${choice(theme, 'theme', ['auto', 'light', 'dark'])}${choice(lang, 'lang', ['en', 'ar'])}${choice(clock, 'clock', ['cairo', 'utc', 'local'])}`;
}

export function Bar() {
  return html`
    <header class="bar">
      <a class="brand" href=${href('alerts')}><img src="icon.svg" alt="" width="24" height="24" /><span>${t('brand')}</span></a>
      <nav class="links" aria-label=${t('nav.label')}><${Links} /></nav>
      <span class="space"></span>
      <${LiveSign} />
      <button type="button" class="bare desk" aria-label=${t('help.title')} title=${`${t('help.title')} (?)`} onClick=${() => (help.value = true)}><${Icon} name="keyboard" /></button>
      <${Menu} label=${`${t('account')}: ${me.value.owner}`} button=${html`<${Icon} name="user" /><span class="desk"><bdi>${me.value.owner}</bdi></span>`}>
        <div class="who"><strong><bdi>${me.value.owner}</bdi></strong><small dir="ltr">${me.value.token}</small><p>${t('account.may')} ${me.value.scopes.map((scope) => html`<code>${scope}</code> `)}</p></div>
        <${Choices} />
        <button type="button" class="item" onClick=${forget}><${Icon} name="out" />${t('signout')}</button>
        <small class="version" dir="ltr">rasid ${me.value.version}</small>
      <//>
    </header>
  `;
}
