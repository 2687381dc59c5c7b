// Drawings of our own, on a grid of 24. They are decoration: whoever uses one says in words what it means.
import { html } from '../lib/view.js';

const PATHS = {
  alerts: 'M12 3a6 6 0 0 0-6 6v4l-2 4h16l-2-4V9a6 6 0 0 0-6-6Zm-2 17a2 2 0 0 0 4 0',
  rules: 'M6 3h9l4 4v14H6V3Zm3 9h7M9 16h7M9 8h3',
  health: 'M3 12h4l2.5-6 5 12 2.5-6h4',
  search: 'M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13Zm4.8 11.3L20 20',
  filter: 'M4 6h16M7 12h10M10 18h4',
  check: 'm5 12.5 4.5 4.5L19 7.5',
  close: 'M6 6l12 12M18 6 6 18',
  chevron: 'm9 5 7 7-7 7',
  down: 'm5 9 7 7 7-7',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  user: 'M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM4 20c1-4 4-6 8-6s7 2 8 6',
  book: 'M4 5c3-1.5 5-1.5 8 0 3-1.5 5-1.5 8 0v14c-3-1.5-5-1.5-8 0-3-1.5-5-1.5-8 0V5Zm8 0v14',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8Zm0-6v2m0 16v2M2 12h2m16 0h2M5 5l1.4 1.4m11.2 11.2L19 19M19 5l-1.4 1.4M6.4 17.6 5 19',
  moon: 'M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5Z',
  globe: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Zm-9 9h18M12 3c3 3 3 15 0 18-3-3-3-15 0-18Z',
  clock: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Zm0 4v5l3.5 2',
  keyboard: 'M3 7h18v10H3V7Zm4 3.5h.01M11 10.5h.01M15 10.5h.01M8 14h8',
  out: 'M14 4h5v16h-5M4 12h10m-4-4 4 4-4 4',
  link: 'M9 15 15 9M8 11l-2 2a3.5 3.5 0 0 0 5 5l2-2m3-3 2-2a3.5 3.5 0 0 0-5-5l-2 2',
  undo: 'M4 9h10a5.5 5.5 0 0 1 0 11h-4M4 9l4-4M4 9l4 4',
  up: 'M12 20V5m-6 6 6-6 6 6',
  group: 'M4 6h16M8 12h12M8 18h12M4 10v8',
  warn: 'M12 4 2.8 20h18.4L12 4Zm0 6v5m0 2.5v.01',
  eye: 'M2.5 12C5 7.5 8 5.5 12 5.5S19 7.5 21.5 12C19 16.5 16 18.5 12 18.5S5 16.5 2.5 12Zm9.5-3a3 3 0 1 0 0 6 3 3 0 0 0 0-6Z',
};

export const Icon = ({ name, size = 18 }) => html`
  <svg class="icon icon-${name}" width=${size} height=${size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
    <path d=${PATHS[name]} />
  </svg>
`;

const SEVERITY_PATHS = {
  SEV0: 'M8 2.5h8L21.5 8v8L16 21.5H8L2.5 16V8L8 2.5Z',
  SEV1: 'M12 3 2.5 20.5h19L12 3Z',
  SEV2: 'M12 2.5 21.5 12 12 21.5 2.5 12 12 2.5Z',
  SEV3: 'M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16Z',
};

/** A shape for each severity, so that it is not told by its colour alone. */
export const SeverityShape = ({ severity }) => html`
  <svg class="shape" width="14" height="14" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d=${SEVERITY_PATHS[severity]} /></svg>
`;
