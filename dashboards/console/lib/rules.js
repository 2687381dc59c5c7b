// The rules as the service last told them, for whoever needs a name, a half-life or a page.
import { get } from './api.js';
import { signal } from './view.js';

/** `{ruleset, rules}`, or null before they were asked for. */
export const rules = signal(null);
let askedMs = 0, asking = null;
const FRESH_MS = 60_000;

/** Asks for them unless they are fresh. */
export function loadRules(evenIfFresh = false) {
  if (asking) return asking;
  if (!evenIfFresh && rules.value && Date.now() - askedMs < FRESH_MS) return Promise.resolve(rules.value);
  asking = get('/v1/rules').then((answer) => {
    askedMs = Date.now();
    rules.value = answer;
    return answer;
  }).finally(() => (asking = null));
  return asking;
}
