// A condition as a tree, each term with what it came to.
import { t } from '../lib/i18n.js';
import { html } from '../lib/view.js';
import { Icon } from './icons.js';

const Mark = ({ is }) => html`<span class="tree-mark ${is === null ? 'unknown' : is}"><${Icon} name=${is === null ? 'more' : is ? 'check' : 'close'} size=${14} /><span class="unseen">${t(is === null ? 'tree.unknown' : is ? 'values.yes' : 'values.no')}</span></span>`;

const said = (value) => (typeof value === 'string' ? `"${value}"` : typeof value === 'number' ? String(Math.round(value * 1000) / 1000) : String(value));

function Node({ node }) {
  if (node.kind === 'term') {
    const { text, shown, is } = node;
    return html`<li><${Mark} is=${is} /><code dir="ltr">${text}</code>${shown && html` <code class="muted" dir="ltr">${said(shown.left)} ${shown.operator} ${said(shown.right)}</code>`}</li>`;
  }
  return html`<li><${Mark} is=${node.is} />${t(`tree.${node.kind}`)}<ul>${node.parts.map((part) => html`<${Node} node=${part} />`)}</ul></li>`;
}

export const Tree = ({ node }) => html`<ul class="tree">${html`<${Node} node=${node} />`}</ul>`;
