// Keys: what is on the page says which it hears. Nothing is heard while somebody writes or a dialog is open.
import { useEffect } from './view.js';

const stack = [];

const isWriting = (target) => target.closest?.('input:not([type=checkbox]), textarea, select, [contenteditable]');

addEventListener('keydown', (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (isWriting(event.target)) {
    if (event.key === 'Escape') event.target.blur();
    return;
  }
  if (document.querySelector('dialog[open]')) return;
  for (const keys of stack.toReversed()) {
    const act = keys[event.key];
    if (act) {
      event.preventDefault();
      act(event);
      return;
    }
  }
});

/** Hears keys for as long as the component stands: `{j: () => …}`. What came later hears first. */
export function useKeys(keys) {
  useEffect(() => {
    stack.push(keys);
    return () => stack.splice(stack.indexOf(keys), 1);
  });
}
