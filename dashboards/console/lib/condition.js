// Which values of an alert were held to which limits: read from the rule's condition, as far as that compares values with numbers.

/** The text of `when` in a rule file: the rest of its line, and what is indented below it. */
export function whenOf(text) {
  const lines = text.split('\n'), at = lines.findIndex((line) => /^when:/.test(line));
  if (at < 0) return '';
  const block = [lines[at].replace(/^when:\s*(?:[>|][+-]?\s*$)?/, '')];
  for (const line of lines.slice(at + 1)) {
    if (!/^(\s+\S|\s*$)/.test(line)) break;
    block.push(line);
  }
  const joined = block.map((line) => line.trim()).filter(Boolean).join('\n').replace(/(^|\s)# .*$/gm, '').trim();
  const quoted = /^'((?:[^']|'')*)'$/.exec(joined) ?? /^"((?:[^"\\]|\\.)*)"$/.exec(joined);
  return quoted ? quoted[1].replace(/''/g, "'") : joined;
}

const NAME = '[A-Za-z_][\\w.]*';
const NUMBER = '\\d+(?:\\.\\d+)?';
const TERM = `(?:double\\((?:${NAME}|${NUMBER})\\)|${NAME}|${NUMBER})(?![\\w.]|\\()`;
const SUM = `${TERM}(?:\\s*[-+*/]\\s*${TERM})*`;
const COMPARISON = new RegExp(`(?<![\\w.])(${SUM})\\s*(>=|<=|>|<)\\s*(${SUM})`, 'g');

const WHOLE_SUM = new RegExp(`^${SUM}$`);

/** The value of a sum of names and numbers, left to right with * and / first; null where it is none, or a name has no number. */
export function valueOf(sum, values) {
  if (!WHOLE_SUM.test(sum)) return null;
  const parts = sum.replace(/double\(|\)/g, '').split(/\s*([-+*/])\s*/);
  const numbers = parts.map((part, index) => (index % 2 ? part : /^\d/.test(part) ? Number(part) : values[part]));
  if (numbers.some((part, index) => index % 2 === 0 && typeof part !== 'number')) return null;
  const terms = [numbers[0]];
  for (let index = 1; index < numbers.length; index += 2) {
    const [sign, next] = [numbers[index], numbers[index + 1]];
    if (sign === '*') terms.push(terms.pop() * next);
    else if (sign === '/') terms.push(terms.pop() / next);
    else terms.push(sign === '-' ? -next : next);
  }
  return terms.reduce((sum_, term) => sum_ + term, 0);
}

const MEETS = { '>': (a, b) => a > b, '>=': (a, b) => a >= b, '<': (a, b) => a < b, '<=': (a, b) => a <= b };

/**
 * `[{left, shown, sign, limit, limitName, met, names}]` of each comparison in the condition whose values the alert has. A condition
 * that cannot be read gives none but those that names tell: `sends` beside `params.sends_max`.
 */
export function comparisons(values, when) {
  const found = [];
  for (const [, left, sign, right] of when.matchAll(COMPARISON)) {
    const shown = valueOf(left, values), limit = valueOf(right, values);
    if (shown === null || limit === null || (/^\d/.test(left) && /^\d/.test(right))) continue;
    if (found.some((one) => one.left === left && one.sign === sign && one.right === right)) continue;
    const names = `${left} ${right}`.match(new RegExp(NAME, 'g')) ?? [];
    found.push({ left, right, shown, sign, limit, limitName: /^[\d.]+$/.test(right) ? null : right, met: MEETS[sign](shown, limit), names });
  }
  if (found.length) return found;
  for (const [name, limit] of Object.entries(values)) {
    const stem = /^params\.(\w+)_(max|min)$/.exec(name);
    const left = stem && Object.keys(values).find((other) => other === stem[1] || other.endsWith(`.${stem[1]}`));
    if (!left || typeof limit !== 'number' || typeof values[left] !== 'number') continue;
    const sign = stem[2] === 'max' ? '>' : '>=';
    found.push({ left, right: name, shown: values[left], sign, limit, limitName: name, met: MEETS[sign](values[left], limit), names: [left, name] });
  }
  return found;
}
