// Alerts as they come: a list, or storms in one row each.
import { AlertList } from '../lib/alerts.js';
import { NARROWING, VIEWS, paramsOf } from '../lib/filter.js';
import { GroupList } from '../lib/groups.js';
import { t } from '../lib/i18n.js';
import { useKeys } from '../lib/keys.js';
import { listen } from '../lib/live.js';
import { clock, lang } from '../lib/prefs.js';
import { go } from '../lib/route.js';
import { nowMs, token } from '../lib/session.js';
import { HOUR } from '../lib/units.js';
import { effect, html, signal, useCallback, useEffect, useMemo, useRef, useState } from '../lib/view.js';
import { acknowledge, ask, mayAct } from '../parts/acts.js';
import { AlertRow } from '../parts/alert_row.js';
import { Filters } from '../parts/filters.js';
import { GroupRow } from '../parts/group_row.js';
import { Icon } from '../parts/icons.js';
import { List } from '../parts/list.js';
import { Trouble, Waiting } from '../parts/marks.js';

/** Messages that wait for the next frame; more than this came while nobody looked, and the list is loaded anew. */
const WAITING_MAX = 5_000;
/** Between two drawings of what arrives: more often nobody sees. */
const CALM_MS = 100;
/** Counts of groups that cannot be told from what arrives are asked for again this late. */
const RECOUNT_MS = 5_000;

/** What was looked at last goes on hearing the stream, and is as it was, and of now, when one comes back to it. */
const nothing = () => ({ key: null, store: null, scroll: 0, opened: null, isHeld: () => false, atTop: true, unseen: signal(0), stop: () => {} });
let last = nothing();
/** For going from alert to alert on their pages. */
export const around = () => (last.store instanceof AlertList ? last.store.rows : []);
/** One has gone on to this one: it is where one comes back to. */
export const lookAt = (id) => (last.opened = id);

effect(() => {
  if (token.value !== null) return;
  last.stop(); // whoever signs in next sees nothing of it
  last = nothing();
});

function storeFor(query) {
  const key = JSON.stringify(['view', ...NARROWING].map((name) => query[name] ?? null));
  if (last.key === key) return last;
  last.stop();
  const isList = !VIEWS.slice(1).includes(query.view);
  // Groups are counted by whole hours: a day has 24 of them, not parts of 25.
  const params = paramsOf(query, isList ? nowMs() : Math.ceil(nowMs() / HOUR) * HOUR);
  last = { ...nothing(), key, store: isList ? new AlertList(params) : new GroupList(query.view, params) };
  last.stop = hear(last);
  last.store.reload();
  return last;
}

/** Rows as they were drawn last: the same row again costs nothing. */
const rowsDrawn = new WeakMap();

function drawn({ alert, depth }, selected, onSelect) {
  const before = rowsDrawn.get(alert);
  if (before && before.depth === depth && before.selected === selected && before.lang === lang.value && before.clock === clock.value && before.onSelect === onSelect) return before.row;
  const row = html`<${AlertRow} alert=${alert} depth=${depth} selected=${selected} onSelect=${onSelect} />`;
  rowsDrawn.set(alert, { row, depth, selected, lang: lang.value, clock: clock.value, onSelect });
  return row;
}

const isNarrow = matchMedia('(max-width: 760px)');
const narrow = signal(isNarrow.matches);
isNarrow.addEventListener('change', () => (narrow.value = isNarrow.matches));

export function AlertsPage({ query }) {
  const kept = storeFor(query);
  const { store } = kept, isList = store instanceof AlertList;
  const [picked, setPicked] = useState(new Map());
  const unseen = kept.unseen.value;
  const handle = useRef(null);
  kept.isHeld = () => handle.current?.isHeld() ?? false;
  useEffect(() => setPicked(new Map()), [store]);

  const version = store.version.value;
  const rows = useMemo(() => (isList ? store.rows.map((alert) => ({ kind: 'alert', key: alert.id, alert, depth: 0 })) : store.rows()), [store, version]);
  const pick = useCallback((alert) => setPicked((before) => {
    const after = new Map(before);
    if (!after.delete(alert.id)) after.set(alert.id, alert);
    return after;
  }), []);

  // Back from an alert: one goes on at its row.
  useEffect(() => {
    const at = kept.opened === null ? -1 : rows.findIndex(({ key }) => key === kept.opened);
    kept.opened = null;
    if (at >= 0) handle.current?.focus(at);
  }, []);

  const here = () => rows[handle.current?.focused() ?? -1];
  const chosen = () => (picked.size ? [...picked.values()] : here()?.kind === 'alert' ? [here().alert] : []);
  const move = (by) => {
    const at = handle.current?.focused() ?? -1;
    handle.current?.focus(at < 0 ? 0 : at + by);
  };
  const about = (act, verdict) => () => {
    const alerts = chosen(), group = here()?.kind === 'group' ? here() : null;
    if (!mayAct()) return;
    if (alerts.length && act === 'ack') acknowledge(alerts);
    else if (alerts.length) ask(act, { alerts, verdict, title: alerts.length === 1 ? alerts[0].title : undefined });
    else if (group) document.activeElement.closest('[data-index]').querySelector('.row-menu button').click();
  };
  useKeys({
    j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1),
    a: about('ack'), c: about('close'), t: about('feedback', 'true_positive'), f: about('feedback', 'false_positive'), u: about('feedback', 'unsure'),
    x: () => here()?.kind === 'alert' && pick(here().alert),
    o: () => here()?.kind === 'group' && here().list.toggle(here().group),
    '/': () => document.querySelector('#find')?.focus(),
    Escape: () => setPicked(new Map()),
  });

  const height = narrow.value ? 92 : 56;
  const draw = (row) => {
    if (row.kind === 'group') return html`<${GroupRow} row=${row} query=${query} />`;
    if (row.kind === 'alert') return drawn(row, picked.has(row.alert.id), mayAct() ? pick : null);
    if (row.kind === 'more') return html`<div class="row depth-${row.depth}"><button type="button" data-main onClick=${() => row.inner.more().then(() => store.changed())}>${t('list.more')}</button></div>`;
    return html`<div class="row depth-${row.depth}"><${Waiting} /></div>`;
  };
  return html`
    <main class="alerts" id="main" tabindex="-1" onClickCapture=${(event) => event.target.closest('a[data-main]') && (kept.opened = rows[event.target.closest('[data-index]').dataset.index]?.key ?? null)}>
      <h1 class="unseen">${t('nav.alerts')}</h1>
      <${Filters} query=${query} />
      ${store.problem && html`<${Trouble} problem=${store.problem} retry=${() => store.reload()} />`}
      <div class="list-frame" aria-busy=${store.isLoading}>
        ${store.span?.cut && html`<p class="cut">${t('group.cut')}</p>`}
        ${unseen > 0 && html`<button type="button" class="pill" onClick=${() => handle.current.toTop()}><${Icon} name="up" size=${14} />${t('list.new', { n: unseen })}</button>`}
        ${rows.length > 0
          ? html`<${List} key=${kept.key} rows=${rows} version=${version} height=${height} row=${draw} label=${t('nav.alerts')} handle=${handle} start=${kept.scroll}
              onScrolled=${(top) => (kept.scroll = top)} onEnd=${() => isList && store.more()}
              onAbove=${(n) => (kept.unseen.value += n)} onTop=${(isAtTop) => { kept.atTop = isAtTop; if (isAtTop) kept.unseen.value = 0; }} />`
          : store.isLoaded ? html`<${Empty} query=${query} />` : !store.problem && html`<${Waiting} />`}
      </div>
      ${picked.size > 0 && html`
        <div class="picked" role="region" aria-label=${t('picked', { n: picked.size })}>
          <span>${t('picked', { n: picked.size })}</span>
          <button type="button" onClick=${() => { acknowledge([...picked.values()]); setPicked(new Map()); }}><${Icon} name="eye" size=${16} />${t('act.ack')}</button>
          <button type="button" onClick=${about('feedback')}><${Icon} name="check" size=${16} />${t('act.feedback')}</button>
          <button type="button" onClick=${about('close')}><${Icon} name="close" size=${16} />${t('act.close')}</button>
          <button type="button" class="bare" onClick=${() => setPicked(new Map())}>${t('act.clear')}</button>
        </div>
      `}
    </main>
  `;
}

const Empty = ({ query }) => {
  const isNarrowed = NARROWING.some((name) => query[name]);
  return html`
    <div class="empty"><${Icon} name="check" size=${28} /><p><strong>${t(isNarrowed ? 'empty.filtered' : 'empty.all')}</strong></p>
      ${isNarrowed ? html`<button type="button" onClick=${() => go('alerts', [], { view: query.view })}>${t('filter.clear')}</button>` : html`<p class="muted">${t('empty.hint')}</p>`}
    </div>
  `;
};

/** Hears the stream for a list, a frame's messages at a time. Answers how to stop. */
function hear(kept) {
  const { store } = kept;
  let opened = [], changed = [], frame = 0, timer = 0, recount = 0, isLost = false, flushedMs = 0;
  const flush = () => {
    frame = 0;
    flushedMs = performance.now();
    if (isLost) {
      isLost = false;
      store.reload();
      return;
    }
    const [came, went] = [opened, changed];
    [opened, changed] = [[], []];
    if (store instanceof AlertList) {
      store.take([...came, ...went], kept.atTop);
      return;
    }
    store.take(came, went);
    if (store.isOld) recount ||= setTimeout(() => { recount = 0; store.reload(kept.isHeld()); }, RECOUNT_MS);
  };
  const stop = listen(({ event, data, resumed }) => {
    if (event === 'alert') opened.push(data);
    else if (event === 'change') changed.push(data);
    else if (event === 'retraction' || (event === 'open' && !resumed && store.isLoaded)) isLost = true;
    else return;
    if (opened.length + changed.length > WAITING_MAX) {
      [opened, changed] = [[], []];
      isLost = true;
    }
    if (frame || timer) return;
    const wait = flushedMs + CALM_MS - performance.now();
    if (wait <= 0) frame = requestAnimationFrame(flush);
    else timer = setTimeout(() => { timer = 0; frame = requestAnimationFrame(flush); }, wait);
  });
  return () => {
    stop();
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    clearTimeout(recount);
  };
}
