// Runbooks are Markdown of a plain kind: headings, paragraphs, lists, tables, code, and links. What is not known stays text, and nothing of it
// is ever taken for HTML.
import { href } from '../lib/route.js';
import { html } from '../lib/view.js';

/** Where a link of a runbook leads: to another runbook of the console, out into the web, or nowhere. */
export function target(to) {
  const runbook = /^([a-z_]+)\.md(?:#.*)?$/.exec(to);
  if (runbook) return { at: href('runbook', [runbook[1]]) };
  return /^https?:\/\//.test(to) ? { at: to, out: true } : null;
}

/** Text with `code`, **strong**, *emphasis* and [links](to), as parts of a page. */
export function inline(text) {
  const parts = [];
  const rule = /(`+)([^`]|[^`][\s\S]*?[^`])\1(?!`)|\*\*([\s\S]+?)\*\*|(?<!\w)[*_]([^*_\s](?:[^*_]*[^*_\s])?)[*_](?!\w)|\[([^\]]+)\]\(([^)\s]+)\)/g;
  let last = 0;
  for (const match of text.matchAll(rule)) {
    if (match.index > last) parts.push(text.slice(last, match.index));
    const [whole, , code, strong, emphasis, words, to] = match;
    if (code !== undefined) parts.push(html`<code dir="ltr">${code.trim()}</code>`);
    else if (strong !== undefined) parts.push(html`<strong>${inline(strong)}</strong>`);
    else if (emphasis !== undefined) parts.push(html`<em>${inline(emphasis)}</em>`);
    else {
      const found = target(to);
      parts.push(!found ? inline(words) : found.out ? html`<a href=${found.at} target="_blank" rel="noreferrer">${inline(words)}</a>` : html`<a href=${found.at}>${inline(words)}</a>`);
    }
    last = match.index + whole.length;
  }
  if (last < text.length) parts.push(text.slice(last));
  return parts;
}

const cells = (line) => line.trim().replace(/^\||\|$/g, '').split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, '|'));

/** Blocks of the text: `{kind: heading|paragraph|list|table|code, …}`. */
export function blocksOf(text) {
  const lines = text.replace(/\r/g, '').split('\n'), blocks = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    const heading = /^(#{1,6})\s+(.*)$/.exec(line), fence = /^```/.test(line), item = /^(\s*)([-*]|\d+\.)\s+(.*)$/.exec(line);
    if (!line.trim()) at += 1;
    else if (heading) {
      blocks.push({ kind: 'heading', level: heading[1].length, text: heading[2] });
      at += 1;
    } else if (fence) {
      const end = lines.findIndex((other, index) => index > at && /^```/.test(other));
      blocks.push({ kind: 'code', text: lines.slice(at + 1, end < 0 ? undefined : end).join('\n') });
      at = end < 0 ? lines.length : end + 1;
    } else if (/^\s*\|/.test(line) && /^[\s|:-]+$/.test(lines[at + 1] ?? '')) {
      const rows = [];
      for (at += 2; at < lines.length && /^\s*\|/.test(lines[at]); at++) rows.push(cells(lines[at]));
      blocks.push({ kind: 'table', head: cells(line), rows });
    } else if (item) {
      const items = [];
      for (; at < lines.length && lines[at].trim(); at++) {
        const next = /^\s*([-*]|\d+\.)\s+(.*)$/.exec(lines[at]);
        if (next) items.push(next[2]);
        else if (/^\s/.test(lines[at])) items.push(`${items.pop()} ${lines[at].trim()}`);
        else break;
      }
      blocks.push({ kind: 'list', ordered: /\d/.test(item[2]), items });
    } else {
      const words = [];
      while (at < lines.length && lines[at].trim() && !/^(#{1,6}\s|```|\s*\||\s*([-*]|\d+\.)\s)/.test(lines[at])) words.push(lines[at++].trim());
      if (!words.length) words.push(lines[at++].trim());
      blocks.push({ kind: 'paragraph', text: words.join(' ') });
    }
  }
  return blocks;
}

const Block = ({ block }) => {
  if (block.kind === 'heading') {
    const Tag = `h${Math.min(6, block.level)}`;
    return html`<${Tag}>${inline(block.text)}<//>`;
  }
  if (block.kind === 'code') return html`<pre dir="ltr" tabindex="0"><code>${block.text}</code></pre>`;
  if (block.kind === 'list') {
    const items = block.items.map((item) => html`<li>${inline(item)}</li>`);
    return block.ordered ? html`<ol>${items}</ol>` : html`<ul>${items}</ul>`;
  }
  if (block.kind === 'table') {
    return html`
      <div class="scroll" tabindex="0" role="region" aria-label=${block.head.filter(Boolean).join(', ')}>
        <table><thead><tr>${block.head.map((cell) => html`<th scope="col">${inline(cell)}</th>`)}</tr></thead>
        <tbody>${block.rows.map((row) => html`<tr>${row.map((cell) => html`<td>${inline(cell)}</td>`)}</tr>`)}</tbody></table>
      </div>
    `;
  }
  return html`<p>${inline(block.text)}</p>`;
};

export const Markdown = ({ text }) => html`<div class="markdown" lang="en" dir="ltr">${blocksOf(text).map((block) => html`<${Block} block=${block} />`)}</div>`;
