// Dialogs and the words that pass by at the edge.
import { t } from '../lib/i18n.js';
import { html, signal, useEffect, useRef } from '../lib/view.js';
import { Icon } from './icons.js';

/** The browser's own dialog: it holds the focus, and Escape closes it. */
export function Dialog({ title, onClose, children, wide = false }) {
  const at = useRef(null);
  useEffect(() => {
    const dialog = at.current, before = document.activeElement;
    dialog.showModal();
    return () => {
      dialog.close();
      before?.isConnected && before.focus?.({ preventScroll: true });
    };
  }, []);
  return html`
    <dialog ref=${at} class=${wide ? 'wide' : ''} aria-labelledby="dialog-title" onCancel=${(event) => (event.preventDefault(), onClose())} onClick=${(event) => event.target === at.current && onClose()}>
      <div class="dialog">
        <header>
          <h2 id="dialog-title">${title}</h2>
          <button type="button" class="bare" aria-label=${t('act.dismiss')} onClick=${onClose}><${Icon} name="close" /></button>
        </header>
        ${children}
      </div>
    </dialog>
  `;
}

const toasts = signal([]);
let made = 0;

/** Says something in passing. */
export function toast(text, kind = 'done') {
  const one = { id: (made += 1), text, kind };
  toasts.value = [...toasts.value.slice(-2), one];
  setTimeout(() => (toasts.value = toasts.value.filter(({ id }) => id !== one.id)), kind === 'failed' ? 9_000 : 4_000);
}

export const Toasts = () => html`
  <div class="toasts" role="status" aria-live="polite">
    ${toasts.value.map(({ id, text, kind }) => html`<div key=${id} class="toast ${kind}"><${Icon} name=${kind === 'failed' ? 'warn' : 'check'} />${text}</div>`)}
  </div>
`;
