// Where one is: `#/alerts?status=open`. What is looked at is in the address, so that it can be sent to somebody.
import { signal } from './view.js';

export function parse(hash) {
  const text = hash.replace(/^#?\/?/, '');
  const mark = text.indexOf('?');
  const path = mark < 0 ? text : text.slice(0, mark);
  const [page = '', ...parts] = path.split('/').map((one) => {
    try {
      return decodeURIComponent(one);
    } catch {
      return one; // a stray %: as it stands
    }
  });
  return { page: page || 'alerts', parts, query: Object.fromEntries(new URLSearchParams(mark < 0 ? '' : text.slice(mark + 1))) };
}

export function href(page, parts = [], query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const path = [page, ...parts].map(encodeURIComponent).join('/');
  // Readable where it may be: `rule=auth.otp_flood&entity=user:u_42`, not %3A.
  const text = given.map(([name, value]) => `${name}=${encodeURIComponent(value).replace(/%3A/g, ':').replace(/%2C/g, ',').replace(/%40/g, '@')}`).join('&');
  return `#/${path}${text ? `?${text}` : ''}`;
}

export const route = signal(parse(globalThis.location?.hash ?? ''));
let steps = 0, isReplacing = false;
globalThis.addEventListener?.('hashchange', () => {
  if (!isReplacing) steps += 1;
  isReplacing = false;
  route.value = parse(location.hash);
});

/** Where one came from within the console; who came from a page of somebody else stays here. */
export function back() {
  if (steps > 0) {
    steps -= 2; // the way back is a step as well
    history.back();
  } else go('alerts');
}

export function go(page, parts, query) {
  location.hash = href(page, parts, query);
}

/** Goes on to what stands in this one's place: the way back leads to where one came from. */
export function goOn(page, parts, query) {
  isReplacing = true;
  location.replace(href(page, parts, query));
}

/** Changes the query in place: a filter is no step of its own in the history. */
export function setQuery(changes) {
  const { page, parts, query } = route.value;
  history.replaceState(null, '', href(page, parts, { ...query, ...changes }));
  route.value = parse(location.hash);
}
