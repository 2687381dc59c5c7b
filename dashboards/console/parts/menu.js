// A button that opens a few choices. Closed by Escape, by a choice, and by a click elsewhere.
import { html, useEffect, useRef, useState } from '../lib/view.js';

export function Menu({ label, button, children, end = true }) {
  const [isOpen, setOpen] = useState(false);
  const at = useRef(null);
  useEffect(() => {
    if (!isOpen) return undefined;
    const away = (event) => at.current?.contains(event.target) || setOpen(false);
    const escape = (event) => {
      if (event.key !== 'Escape') return;
      event.preventDefault();
      setOpen(false);
      at.current?.querySelector('button')?.focus();
    };
    addEventListener('pointerdown', away);
    addEventListener('keydown', escape, true);
    return () => {
      removeEventListener('pointerdown', away);
      removeEventListener('keydown', escape, true);
    };
  }, [isOpen]);
  return html`
    <div class="menu" ref=${at}>
      <button type="button" class="bare" aria-label=${label} title=${label} aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>${button}</button>
      ${isOpen && html`<div class="menu-list ${end ? 'end' : ''}" onClick=${(event) => event.target.closest('button, a') && setOpen(false)}>${children}</div>`}
    </div>
  `;
}
