// A runbook, to be read where one is: at three, on a phone.
import { getText, part } from '../lib/api.js';
import { t } from '../lib/i18n.js';
import { html, useEffect, useState } from '../lib/view.js';
import { BackLink } from '../parts/back.js';
import { Markdown } from '../parts/markdown.js';
import { Trouble, Waiting } from '../parts/marks.js';

export function RunbookPage({ parts: [name] }) {
  const [state, setState] = useState({});
  const load = () => getText(`/v1/runbooks/${part(name)}`).then((text) => setState({ text }), (problem) => setState({ problem }));
  useEffect(() => void load(), [name]);
  return html`
    <main class="page runbook-page" id="main" tabindex="-1">
      <${BackLink} />
      ${state.problem && html`<${Trouble} problem=${state.problem} retry=${load} />`}
      ${state.text ? html`<article class="card"><${Markdown} text=${state.text} /></article>` : !state.problem && html`<${Waiting} />`}
    </main>
  `;
}
