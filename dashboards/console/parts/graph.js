// An entity and those that its alerts name beside it: the more alerts two share, the nearer and the thicker.
import { entityParts, shortId } from '../lib/format.js';
import { t } from '../lib/i18n.js';
import { href } from '../lib/route.js';
import { html } from '../lib/view.js';
import { kindName } from './marks.js';

const SHOWN = 12;
const [WIDTH, HEIGHT] = [640, 380];

export function Graph({ entity, related }) {
  const shown = related.slice(0, SHOWN), most = Math.max(1, ...shown.map(({ alerts }) => alerts));
  const places = shown.map(({ alerts }, index) => {
    const angle = (2 * Math.PI * index) / shown.length - Math.PI / 2;
    const far = 0.98 - 0.25 * (alerts / most);
    return [WIDTH / 2 + Math.cos(angle) * far * (WIDTH / 2 - 90), HEIGHT / 2 + Math.sin(angle) * far * (HEIGHT / 2 - 34)];
  });
  const node = (one, x, y, isCentre, alerts) => {
    const [kind, id] = entityParts(one);
    const body = html`
      <rect x=${x - 76} y=${y - 20} width="152" height="40" rx="8" />
      <text x=${x} y=${y - 3} class="graph-kind">${kindName(kind)}${alerts ? ` · ${t('graph.alerts', { n: alerts })}` : ''}</text>
      <text x=${x} y=${y + 13} class="graph-id">${shortId(id)}</text>
    `;
    return isCentre ? html`<g class="node centre">${body}</g>` : html`<a class="node" href=${href('entity', [one])} aria-label=${`${kindName(kind)} ${id}`}>${body}</a>`;
  };
  return html`
    <svg class="graph" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="group" aria-label=${t('graph.label', { n: shown.length })}>
      ${shown.map(({ alerts }, index) => html`<line x1=${WIDTH / 2} y1=${HEIGHT / 2} x2=${places[index][0]} y2=${places[index][1]} stroke-width=${(1 + (4 * alerts) / most).toFixed(1)} />`)}
      ${shown.map(({ entity: one, alerts }, index) => node(one, ...places[index], false, alerts))}
      ${node(entity, WIDTH / 2, HEIGHT / 2, true)}
    </svg>
    ${related.length > SHOWN && html`<p class="muted">${t('graph.more', { n: related.length - SHOWN })}</p>`}
  `;
}
