// An entity and those that its alerts name beside it: the more alerts two share, the thicker the line and the nearer the middle row.
import { entityParts, shortId } from '../lib/format.js';
import { t } from '../lib/i18n.js';
import { href } from '../lib/route.js';
import { html } from '../lib/view.js';
import { kindName } from './marks.js';

const SHOWN = 12;
const [WIDTH, ROW, BOX, TALL] = [640, 52, 168, 40];

/** Places for so many, left and right in turn, from the middle outwards: `[x, y]` of their centres. */
export function placed(many) {
  const rows = Math.ceil(many / 2), middle = (rows - 1) / 2;
  const order = Array.from({ length: rows }, (_, row) => row).sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle));
  return Array.from({ length: many }, (_, index) => [index % 2 ? WIDTH - BOX / 2 - 2 : BOX / 2 + 2, (order[Math.floor(index / 2)] + 0.5) * ROW]);
}

export function Graph({ entity, related }) {
  const shown = related.slice(0, SHOWN), most = Math.max(1, ...shown.map(({ alerts }) => alerts));
  const places = placed(shown.length), height = Math.max(1, Math.ceil(shown.length / 2)) * ROW;
  const [cx, cy] = [WIDTH / 2, height / 2];
  const node = (one, x, y, isCentre, alerts) => {
    const [kind, id] = entityParts(one);
    const body = html`
      <rect class="ground" x=${x - BOX / 2} y=${y - TALL / 2} width=${BOX} height=${TALL} rx="8" /><rect x=${x - BOX / 2} y=${y - TALL / 2} width=${BOX} height=${TALL} rx="8" />
      <text x=${x} y=${y - 3} class="graph-kind">${kindName(kind)}${alerts ? ` · ${t('graph.alerts', { n: alerts })}` : ''}</text>
      <text x=${x} y=${y + 13} class="graph-id">${shortId(id)}</text>
    `;
    return isCentre ? html`<g class="node centre">${body}</g>` : html`<a class="node" href=${href('entity', [one])}>${body}</a>`;
  };
  return html`
    <svg class="graph" viewBox="0 0 ${WIDTH} ${height}" role="group" aria-label=${t('graph.label', { n: shown.length })}>
      ${shown.map(({ alerts }, index) => {
        const [x, y] = places[index], from = x < cx ? cx - BOX / 2 : cx + BOX / 2, to = x < cx ? x + BOX / 2 : x - BOX / 2, half = (from + to) / 2;
        return html`<path class="edge" d="M${from} ${cy}C${half} ${cy} ${half} ${y} ${to} ${y}" stroke-width=${(1 + (3 * alerts) / most).toFixed(1)} />`;
      })}
      ${shown.map(({ entity: one, alerts }, index) => node(one, ...places[index], false, alerts))}
      ${node(entity, cx, cy, true)}
    </svg>
    ${related.length > SHOWN && html`<p class="muted">${t('graph.more', { n: related.length - SHOWN })}</p>`}
  `;
}
