// The keys, for whoever asks by `?`.
import { t } from '../lib/i18n.js';
import { html, signal } from '../lib/view.js';
import { Dialog } from './dialog.js';

export const help = signal(false);

const KEYS = [
  ['j', 'k', 'key.move'], ['Enter', 'key.open'], ['a', 'key.ack'], ['c', 'key.close'], ['t', 'key.true'], ['f', 'key.false'], ['u', 'key.unsure'],
  ['x', 'key.select'], ['o', 'key.unfold'], ['/', 'key.find'], ['g a', 'g r', 'g h', 'key.go'], ['?', 'key.help'], ['Esc', 'key.escape'],
];

export const Help = () =>
  help.value &&
  html`
    <${Dialog} title=${t('help.title')} onClose=${() => (help.value = false)}>
      <dl class="keys">
        ${KEYS.map((entry) => {
          const keys = entry.filter((one) => !one.startsWith('key.'));
          return html`<div><dt dir="ltr">${keys.map((key) => html`<kbd>${key}</kbd>`)}</dt><dd>${t(entry.find((one) => one.startsWith('key.')))}</dd></div>`;
        })}
      </dl>
    <//>
  `;
