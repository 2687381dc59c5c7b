// A button that opens a few choices. Closed by Escape, by a choice, and by a click elsewhere.
import { html, useEffect, useLayoutEffect, useRef, useState } from '../lib/view.js';

export function Menu({ label, button, children, end = true }) {
  const [isOpen, setOpen] = useState(false);
  const at = useRef(null), list = useRef(null);
  useLayoutEffect(() => {
    // Where there is no room below it, it opens upwards.
    const room = innerHeight - (at.current?.getBoundingClientRect().bottom ?? 0);
    list.current?.classList.toggle('above', isOpen && list.current.offsetHeight > room);
  }, [isOpen]);
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
      ${isOpen && html`<div ref=${list} class="menu-list ${end ? 'end' : ''}" onClick=${(event) => event.target.closest('button, a') && setOpen(false)}>${children}</div>`}
    </div>
  `;
}
