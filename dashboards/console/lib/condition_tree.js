// A rule's condition as a tree, with what each of its terms came to at an alert, as far as the alert's values tell. What they do not tell is `null`:
// nothing is guessed, and `||` and `&&` go by CEL (one true side makes `||` true, one false side `&&` false, whatever the other is).
import { valueOf } from './condition.js';

const CLOSES = { '(': ')', '[': ']', '{': '}' };

/** Parts of the text between that operator where it stands in no brackets and no quotes. */
export function split(text, operator) {
  const parts = [], open = [];
  let quote = null, from = 0;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (quote) {
      if (sign === '\\') at += 1;
      else if (sign === quote) quote = null;
    } else if (sign === '"' || sign === "'") quote = sign;
    else if (CLOSES[sign]) open.push(CLOSES[sign]);
    else if (sign === open.at(-1)) open.pop();
    else if (!open.length && text.startsWith(operator, at)) {
      parts.push(text.slice(from, at));
      at += operator.length - 1;
      from = at + 1;
    }
  }
  return [...parts, text.slice(from)].map((part) => part.trim());
}

/** Without brackets that hold all of it. */
function bare(text) {
  let inner = text.trim();
  while (inner.startsWith('(') && inner.endsWith(')')) {
    const within = inner.slice(1, -1);
    if (!balanced(within)) break; // `(a) … (b)`
    inner = within.trim();
  }
  return inner;
}

function balanced(text) {
  let depth = 0, quote = null;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (quote) {
      if (sign === '\\') at += 1;
      else if (sign === quote) quote = null;
    } else if (sign === '"' || sign === "'") quote = sign;
    else if (sign === '(') depth += 1;
    else if (sign === ')' && (depth -= 1) < 0) return false;
  }
  return depth === 0 && quote === null;
}

const all = (parts) => (parts.some(({ is }) => is === false) ? false : parts.every(({ is }) => is === true) ? true : null);
const any = (parts) => (parts.some(({ is }) => is === true) ? true : parts.every(({ is }) => is === false) ? false : null);

/** `{kind: all|any|not|term, parts | text, shown, is: true|false|null}`. */
export function treeOf(condition, values) {
  const text = bare(condition.replace(/\s+/g, ' '));
  if (split(text, '?').length > 1) return { kind: 'term', text, shown: null, is: null };
  for (const [operator, kind, of] of [['||', 'any', any], ['&&', 'all', all]]) {
    const parts = split(text, operator);
    if (parts.length > 1) {
      const nodes = parts.map((part) => treeOf(part, values));
      return { kind, parts: nodes, is: of(nodes) };
    }
  }
  if (/^!(?!=)/.test(text)) {
    const inner = treeOf(text.slice(1), values);
    return { kind: 'not', parts: [inner], is: inner.is === null ? null : !inner.is };
  }
  return { kind: 'term', text, ...termOf(text, values) };
}

/** What one side of a comparison is: a text, a truth, a number; undefined where the values do not tell. */
function sideOf(text, values) {
  const quoted = /^"((?:[^"\\]|\\.)*)"$|^'((?:[^'\\]|\\.)*)'$/.exec(text);
  if (quoted) return quoted[1] ?? quoted[2];
  if (text === 'true' || text === 'false') return text === 'true';
  const known = values[text];
  if (typeof known === 'string' || typeof known === 'boolean') return known;
  return valueOf(text, values) ?? undefined;
}

const COMPARES = {
  '==': (a, b) => a === b, '!=': (a, b) => a !== b, '>=': (a, b) => a >= b, '<=': (a, b) => a <= b, '>': (a, b) => a > b, '<': (a, b) => a < b,
};

function termOf(text, values) {
  const asked = /^has\(([\w.]+)\)$/.exec(text);
  if (asked) return { shown: null, is: asked[1] in values ? values[asked[1]] !== null : null };
  if (typeof values[text] === 'boolean') return { shown: null, is: values[text] };
  for (const operator of Object.keys(COMPARES)) {
    const sides = split(text, operator);
    // `a < b` is no `a <= b` that was cut short.
    if (sides.length !== 2 || /^=/.test(sides[1]) || /[=!<>]$/.test(sides[0])) continue;
    const [left, right] = sides.map((side) => sideOf(side, values));
    if (left === undefined || right === undefined || typeof left !== typeof right) return { shown: null, is: null };
    return { shown: { left, operator, right }, is: COMPARES[operator](left, right) };
  }
  const among = /^(\S+) in \[(.*)\]$/.exec(text);
  if (among) {
    const left = sideOf(among[1], values), list = split(among[2], ',').map((one) => sideOf(one, values));
    if (left !== undefined && list.every((one) => one !== undefined)) return { shown: null, is: list.includes(left) };
  }
  return { shown: null, is: null };
}
