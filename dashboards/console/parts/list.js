// A list of any length of which only what is seen is in the page. All rows are of one height. What somebody looks at stays where it is
// while rows come above it; at the top, with nothing held, new rows simply appear.
import { html, useEffect, useLayoutEffect, useRef, useState } from '../lib/view.js';

/** Rows above and below what is seen; and so many come and go at once, not one by one with every pixel. */
const SPARE = 4, STEP = 4;
/** Who moved a pointer over a row so lately is about to press on it: it stays under his finger. */
const POINTING_MS = 2_000;

/**
 * `rows` with a `key` each, `height` of a row in px, `row(one, index)` draws one, `onEnd` is called when the end comes near,
 * `onTop(isAtTop)` when that changes, `onAbove(n)` when so many rows have come above what is held. `handle.current` gets `{focus(index), focused(), isHeld(), toTop()}`.
 */
export function List({ rows, height, row, onEnd, onTop, onAbove, handle, label, start = 0, onScrolled, version }) {
  const box = useRef(null);
  const anchor = useRef({ key: null, offset: 0, atTop: true });
  const pointedMs = useRef(-Infinity);
  const [seen, setSeen] = useState(() => {
    const from = Math.max(0, Math.floor(start / height / STEP) * STEP - SPARE);
    return { from, until: from + 20 };
  });

  const look = () => {
    const { scrollTop, clientHeight } = box.current;
    const from = Math.max(0, Math.floor(scrollTop / height / STEP) * STEP - SPARE), until = Math.ceil((scrollTop + clientHeight) / height / STEP) * STEP + SPARE;
    setSeen((before) => (before.from === from && before.until === until ? before : { from, until }));
    const first = Math.min(rows.length - 1, Math.floor(scrollTop / height));
    const atTop = scrollTop < height / 2;
    if (atTop !== anchor.current.atTop) onTop?.(atTop);
    anchor.current = { key: rows[first]?.key ?? null, at: first, offset: scrollTop - first * height, atTop };
    onScrolled?.(scrollTop);
    if (until + SPARE >= rows.length) onEnd?.();
  };

  const indexOf = (element) => Number(element?.closest('[data-index]')?.dataset.index ?? -1);
  const focused = () => (box.current?.contains(document.activeElement) ? indexOf(document.activeElement) : -1);
  const focus = (index) => {
    const to = Math.max(0, Math.min(rows.length - 1, index));
    const { scrollTop, clientHeight } = box.current;
    if (to * height < scrollTop) box.current.scrollTop = to * height;
    else if ((to + 1) * height > scrollTop + clientHeight) box.current.scrollTop = (to + 1) * height - clientHeight;
    const take = () => box.current?.querySelector(`[data-index="${to}"] [data-main]`)?.focus({ preventScroll: true });
    if (box.current.querySelector(`[data-index="${to}"]`)) take();
    else {
      look();
      requestAnimationFrame(() => requestAnimationFrame(take));
    }
  };
  const isHeld = () => !anchor.current.atTop || focused() > 0 || performance.now() - pointedMs.current < POINTING_MS;
  if (handle) handle.current = { focus, focused, isHeld, toTop: () => (box.current.scrollTop = 0) };

  useLayoutEffect(() => {
    if (start) box.current.scrollTop = start;
  }, []);

  // Rows came or went above: what was the first to be seen stays the first.
  useLayoutEffect(() => {
    const { key, at, offset } = anchor.current;
    if (isHeld() && key !== null && rows[at]?.key !== key) {
      const to = near(rows, key, at);
      if (to >= 0) box.current.scrollTop = to * height + offset;
      if (to > at) onAbove?.(to - at);
    }
    look();
  }, [rows, version, height]);

  useEffect(() => {
    const resized = new ResizeObserver(() => box.current && look());
    resized.observe(box.current);
    return () => resized.disconnect();
  });

  const shown = rows.slice(seen.from, seen.until);
  return html`
    <div class="list" ref=${box} onScroll=${look} onPointerMove=${() => (pointedMs.current = performance.now())}>
      <ul role="list" aria-label=${label} style=${{ height: `${rows.length * height}px` }}>
        ${shown.map((one, position) => {
          const index = seen.from + position;
          return html`
            <li key=${one.key} data-index=${index} aria-setsize=${rows.length} aria-posinset=${index + 1} style=${{ transform: `translateY(${index * height}px)`, height: `${height}px` }}>${row(one, index)}</li>
          `;
        })}
      </ul>
    </div>
  `;
}

/** Where the row of that key is now, looked for from where it was outwards. */
function near(rows, key, at) {
  for (let far = 0; far < rows.length; far++) {
    if (rows[at + far]?.key === key) return at + far;
    if (rows[at - far]?.key === key) return at - far;
  }
  return -1;
}
