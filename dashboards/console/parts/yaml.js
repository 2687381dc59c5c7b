// A rule file as it stands, with its parts told apart. Nothing is changed, and what is not understood stays plain.
import { html } from '../lib/view.js';

/** `[kind, text]` of the parts of one line: `key`, `string`, `number`, `word`, `comment`, or `''`. */
export function partsOf(line) {
  const parts = [];
  const rule = /(\s#.*$|^#.*$)|("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')|([A-Za-z_][\w.-]*(?=:(?:\s|$)))|(?<![\w.])(-?\d+(?:\.\d+)?(?:ms|s|m|h|d)?)(?![\w.])|\b(true|false|null|active|shadow|off|SEV[0-3])\b/g;
  let last = 0;
  for (const match of line.matchAll(rule)) {
    if (match.index > last) parts.push(['', line.slice(last, match.index)]);
    const kind = match[1] ? 'comment' : match[2] ? 'string' : match[3] ? 'key' : match[4] ? 'number' : 'word';
    parts.push([kind, match[0]]);
    last = match.index + match[0].length;
  }
  if (last < line.length) parts.push(['', line.slice(last)]);
  return parts;
}

export const Yaml = ({ text, label }) => html`
  <pre class="yaml" dir="ltr" tabindex="0" aria-label=${label}><code>${text.trimEnd().split('\n').map((line) => html`<span class="line">${partsOf(line).map(([kind, part]) => (kind ? html`<span class=${kind}>${part}</span>` : part))}${'\n'}</span>`)}</code></pre>
`;
