// What the console shows of a rule file beside its text: single fields of its top level. It is no reader of YAML: a field that is written in a way
// that it does not know is shown as it stands.

/** The text of a field: the rest of its line and what is indented below it, or empty. */
export function fieldOf(text, name) {
  const lines = text.split('\n'), at = lines.findIndex((line) => line.startsWith(`${name}:`));
  if (at < 0) return '';
  const first = lines[at].slice(name.length + 1).trim(), folded = /^[>|][+-]?\d?(\s+#.*)?$/.test(first);
  const block = folded ? [] : [first];
  for (const line of lines.slice(at + 1)) {
    if (!/^(\s+\S|\s*$)/.test(line)) break;
    block.push(line.trim());
  }
  // Within folded prose a # is a word; elsewhere it begins a comment.
  const isProse = folded && name !== 'when';
  const joined = block.map((line) => (isProse ? line : line.replace(/(^|\s)#.*$/, '')).trim()).filter(Boolean).join(name === 'when' ? '\n' : ' ').trim();
  const quoted = /^'((?:[^']|'')*)'$/.exec(joined) ?? /^"((?:[^"\\]|\\.)*)"$/.exec(joined);
  return quoted ? quoted[1].replace(/''/g, "'") : joined;
}

/** A list on one line, or an item a line: `[a, "b, c"]`. */
export function listOf(text, name) {
  const field = listed(text, name), inner = /^\[(.*)\]$/.exec(field)?.[1];
  if (inner === undefined) return field.split(/(?:^|\s)- /).map((one) => one.trim()).filter(Boolean);
  return [...inner.matchAll(/"((?:[^"\\]|\\.)*)"|'((?:[^']|'')*)'|([^,\s][^,]*)/g)].map(([, double, single, bare]) => (double ?? single ?? bare).trim());
}

/** A reference may have a # of its own, so nothing is taken for a comment. */
function listed(text, name) {
  const match = new RegExp(`^${name}:[ \\t]*((?:.*)(?:\\n[ \\t]+.*)*)`, 'm').exec(text);
  return match ? match[1].replace(/\s*\n\s*/g, ' ').trim() : '';
}
