// Where a runbook is: in the console, where the service has it built in; else where the service says that such pages are.
import { t } from '../lib/i18n.js';
import { href } from '../lib/route.js';
import { me } from '../lib/session.js';
import { html } from '../lib/view.js';
import { Icon } from './icons.js';

/** The name of one of the project's own runbooks, else null. */
export const builtIn = (runbook) => /^docs\/runbooks\/([a-z_]+)\.md$/.exec(runbook)?.[1] ?? null;

export function RunbookLink({ runbook }) {
  const name = builtIn(runbook);
  if (name) return html`<a class="runbook" href=${href('runbook', [name])}><${Icon} name="book" />${t('runbook.open', { name: name.replace(/_/g, ' ') })}</a>`;
  const told = /^https?:\/\//.test(runbook) ? runbook : `${me.value?.runbook_url ?? ''}${runbook}`;
  const at = /^https?:\/\//.test(told) ? told : null;
  return at ? html`<a class="runbook" href=${at} target="_blank" rel="noreferrer"><${Icon} name="book" />${t('runbook.elsewhere')}</a>` : html`<span><${Icon} name="book" /> <code dir="ltr">${runbook}</code></span>`;
}
