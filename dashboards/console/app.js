// The console: signs in, hears the stream, and shows the page that the address names.
import { t } from './lib/i18n.js';
import { useKeys } from './lib/keys.js';
import * as live from './lib/live.js';
import { lang } from './lib/prefs.js';
import { go, href, route } from './lib/route.js';
import { can, me, token } from './lib/session.js';
import './lib/title.js';
import { whoIs } from './lib/api.js';
import { html, render, signal, useEffect } from './lib/view.js';
import { Acts } from './parts/acts.js';
import { Bar, Tabs } from './parts/bar.js';
import { Toasts } from './parts/dialog.js';
import { Help, help } from './parts/help.js';
import { Trouble, Waiting } from './parts/marks.js';
import { AlertPage } from './pages/alert.js';
import { AlertsPage } from './pages/alerts.js';
import { EntityPage } from './pages/entity.js';
import { HealthPage } from './pages/health.js';
import { RulePage } from './pages/rule.js';
import { RulesPage } from './pages/rules.js';
import { RunbookPage } from './pages/runbook.js';
import { SignIn } from './pages/signin.js';

const PAGES = { alerts: AlertsPage, alert: AlertPage, entity: EntityPage, rules: RulesPage, rule: RulePage, health: HealthPage, runbook: RunbookPage };

/** Why it is not known who is signed in. */
const problem = signal(null);

async function signIn() {
  problem.value = null;
  try {
    await whoIs(token.value);
  } catch (error) {
    if (error.status !== 401) problem.value = error;
  }
}

function App() {
  lang.value; // all words change with it
  const shown = token.value;
  useEffect(() => {
    if (shown && !me.value) signIn();
    if (shown && can('read:alerts')) live.start();
    else live.stop();
  }, [shown, me.value]);
  useEffect(() => {
    // A page begins at its top, and a reader is told that it is another.
    const main = document.querySelector('main');
    if (!main?.contains(document.activeElement) || document.activeElement === main) main?.focus({ preventScroll: true });
    document.querySelector('main')?.scrollTo?.(0, 0);
  }, [route.value.page, route.value.parts.join('/')]);
  const goTo = { a: 'alerts', r: 'rules', h: 'health' };
  useKeys({
    '?': () => (help.value = true),
    g: () => addEventListener('keydown', (event) => goTo[event.key] && (event.stopImmediatePropagation(), event.preventDefault(), go(goTo[event.key])), { once: true, capture: true }),
  });
  if (!shown) return html`<${SignIn} /><${Toasts} />`;
  if (problem.value) return html`<main class="page narrow" tabindex="-1"><${Trouble} problem=${problem.value} retry=${signIn} /></main>`;
  if (!me.value) return html`<main class="page narrow" tabindex="-1"><${Waiting} /></main>`;
  const Page = PAGES[route.value.page];
  return html`
    <a class="skip" href="#main" onClick=${(event) => (event.preventDefault(), document.querySelector('main')?.focus())}>${t('skip')}</a>
    <${Bar} />
    ${Page
      ? html`<${Page} key=${`${route.value.page}/${route.value.parts.join('/')}`} parts=${route.value.parts} query=${route.value.query} />`
      : html`<main class="page narrow" tabindex="-1"><h1>${t('nothing.page')}</h1><p><a href=${href('alerts')}>${t('nav.alerts')}</a></p></main>`}
    <${Tabs} />
    <${Acts} /><${Help} /><${Toasts} />
  `;
}

render(html`<${App} />`, document.getElementById('app'));
