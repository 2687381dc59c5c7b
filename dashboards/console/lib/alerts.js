// Alerts that are looked at: a list that goes on page by page at its old end and grows at its new end as alerts arrive.
import { get } from './api.js';
import { matches } from './filter.js';
import { signal } from './view.js';

const PAGE = 100;
/** Rows that are kept while somebody watches the newest: what is beyond is loaded again when it is wanted. */
const KEPT_MAX = 3_000;

/** Newest first, as the service has them. */
export const compare = (a, b) => b.opened_at_ms - a.opened_at_ms || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);

/** Where it stands in the list, or would. */
export function placeOf(list, alert) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(list[middle], alert) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Puts it in its place, over an older state of itself. Answers whether the list has one more. */
export function put(list, alert) {
  const at = placeOf(list, alert);
  const isThere = list[at]?.id === alert.id;
  list.splice(at, isThere ? 1 : 0, alert);
  return !isThere;
}

export function remove(list, alert) {
  const at = placeOf(list, alert);
  if (list[at]?.id !== alert.id) return false;
  list.splice(at, 1);
  return true;
}

export class AlertList {
  constructor(params, pageSize = PAGE) {
    Object.assign(this, { params, pageSize, rows: [], next: null, isWhole: false, isLoading: false, isLoaded: false, problem: null, until: undefined, missed: [] });
    /** Rises with every change: what is drawn reads it. */
    this.version = signal(0);
    this.loading = null;
  }

  changed() {
    this.version.value += 1;
  }

  /** Loads it anew; what was there stays until the answer has come. */
  async reload() {
    this.next = this.until = undefined;
    this.missed = [];
    const answer = await this.#ask({});
    if (!answer) return;
    this.rows = answer.alerts.slice();
    this.#take(answer);
  }

  /** The next page, if there is one. */
  async more() {
    if (this.isWhole || this.isLoading) return;
    const answer = await this.#ask(this.next ? { cursor: this.next } : { until_ms: this.until });
    if (!answer) return;
    answer.alerts.forEach((alert) => put(this.rows, alert));
    this.#take(answer);
  }

  #take(answer) {
    this.next = answer.next;
    this.isWhole = answer.next === null;
    this.isLoaded = true;
    // What came while it was being loaded may lack in the answer; whatever is newer still is yet to come.
    this.take(this.missed.splice(0), false);
    this.changed();
  }

  async #ask(where) {
    this.loading?.abort();
    const own = new AbortController();
    Object.assign(this, { loading: own, isLoading: true, problem: null });
    this.changed();
    try {
      const { until_ms, ...rest } = where;
      const until = until_ms ?? this.params.until_ms;
      return await get('/v1/alerts', { ...this.params, ...rest, until_ms: until, limit: this.pageSize }, own.signal);
    } catch (problem) {
      if (!own.signal.aborted) this.problem = problem;
      return null;
    } finally {
      if (this.loading === own) {
        this.isLoading = false;
        this.changed();
      }
    }
  }

  /** Takes alerts that were opened or changed. Answers whether any of it shows. `atTop`: nobody is looking further down. */
  take(alerts, atTop) {
    let shows = false;
    if (this.isLoading) this.missed.push(...alerts);
    for (const alert of alerts) {
      const isWanted = matches(this.params, alert);
      // What belongs behind the end of what is loaded comes with its page.
      const isBehind = !this.isWhole && this.rows.length > 0 && compare(this.rows.at(-1), alert) < 0;
      if (isWanted && !isBehind && this.isLoaded) {
        put(this.rows, alert);
        shows = true;
      } else if (!isWanted) shows = remove(this.rows, alert) || shows;
    }
    if (atTop && this.rows.length > KEPT_MAX) {
      this.rows.length = KEPT_MAX / 2;
      // A cursor says where the service went on; from here it is a time. What shares that instant is put over itself.
      Object.assign(this, { next: null, isWhole: false, until: this.rows.at(-1).opened_at_ms + 1 });
    }
    if (shows) this.changed();
    return shows;
  }
}
