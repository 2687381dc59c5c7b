// What a browser has and Node has not, as far as the helpers look at it.
const kept = new Map();
Object.assign(globalThis, {
  localStorage: { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key) },
  document: { documentElement: { dataset: {} }, visibilityState: 'visible' },
});
globalThis.sessionStorage = globalThis.localStorage;
Object.defineProperty(globalThis, 'navigator', { value: { language: 'en' }, configurable: true });
