// The stream of alerts as they are opened and changed. It is read by fetch, as an EventSource cannot show a token. Lost, it is taken up
// again behind the position that came last, so nothing is missed; what lies further back than the service keeps is loaded anew.
//
// The service says `here` every 10 s, and ends the stream after some time, to be asked again. A line that is silent for longer than SILENCE_MS is dead, whatever the network says: that is how a
// device that slept finds out.
import { signal } from './view.js';
import { sseParser } from './sse.js';
import { ended, forget, seen, setClock, token } from './session.js';

const SILENCE_MS = 35_000;
const SHORT_MS = 2_000;
const WAITS_MS = [1_000, 2_000, 4_000, 8_000, 15_000, 30_000];

/**
 * What the sign says: `{state, sinceMs, retryMs}`, by this device's clock. States: `connecting`, `live`, `catching_up` (connected,
 * and what was missed is still coming), `lost`.
 */
export const live = signal({ state: 'connecting', sinceMs: Date.now(), retryMs: 0 });

const listeners = new Set();
let position = null, abort = null, heardMs = 0, fails = 0, retryTimer = 0, running = false;

/** Hears `{event, data, position}` of every message, and `{event: 'open'}` each time it is connected anew. Answers how to stop. */
export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Tells all who hear: of the stream, and of what this page did itself. */
export const publish = (message) => listeners.forEach((listener) => listener(message));

function become(state, retryMs = 0) {
  if (live.value.state !== state || live.value.retryMs !== retryMs) {
    const sinceMs = live.value.state === state ? live.value.sinceMs : Date.now();
    live.value = { state, sinceMs, retryMs };
  }
}

async function read(wasLost) {
  const own = new AbortController();
  abort = own;
  const headers = { authorization: `Bearer ${token.value}`, accept: 'text/event-stream', ...(position !== null && { 'last-event-id': String(position) }) };
  const startedMs = Date.now();
  const response = await fetch('/v1/alerts/stream', { headers, signal: own.signal, credentials: 'omit', cache: 'no-store' });
  if (response.status === 401) {
    ended.value = 'expired';
    forget();
    return false;
  }
  if (!response.ok) throw new Error(`the stream answers ${response.status}`);
  heardMs = Date.now();
  if (wasLost || live.value.state !== 'live') become(wasLost ? 'catching_up' : 'live');
  publish({ event: 'open', resumed: position !== null });
  const feed = sseParser(({ event, data, id }) => {
    const said = JSON.parse(data);
    if (id !== undefined) position = Number(id);
    if (event === 'here') {
      fails = 0;
      position = Math.max(position ?? 0, said.position);
      setClock(said.now_ms, said.event_ms);
      become('live');
    }
    if (event === 'alert') seen(said.opened_at_ms);
    publish({ event, data: said, position });
  });
  const decoder = new TextDecoder();
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    heardMs = Date.now();
    // It ends by itself from time to time, and is asked for again; one that ends at once has no business to.
    if (done && Date.now() - startedMs > SHORT_MS) return true;
    if (done) throw new Error('the stream ended');
    feed(decoder.decode(value, { stream: true }));
  }
}

/** `isNext`: the stream before ended as it should, and this one goes on where it was. */
function connect(wasLost, isNext = false) {
  if (!running) return;
  clearTimeout(retryTimer);
  if (!wasLost && !isNext) become('connecting');
  read(wasLost).then((ended_) => ended_ && connect(false, true), () => {
    if (!running || token.value === null) return;
    const wait = WAITS_MS[Math.min(fails, WAITS_MS.length - 1)] * (0.75 + Math.random() / 2);
    fails += 1;
    become('lost', Date.now() + wait);
    clearTimeout(retryTimer);
    retryTimer = setTimeout(() => connect(true), wait);
  });
}

/** Drops the line, as a network does. */
export const cut = () => abort?.abort();

/** Tries at once: somebody looks, or the network is back. */
export function hurry() {
  if (!running) return;
  const isSilent = Date.now() - heardMs > SILENCE_MS;
  if (live.value.state === 'lost') {
    fails = 0;
    connect(true);
  } else if (isSilent && live.value.state !== 'connecting') {
    abort?.abort(); // its reader fails, and connects again
    become('lost', Date.now());
  }
}

export function start() {
  if (running) return;
  running = true;
  [position, fails] = [null, 0];
  connect(false);
}

export function stop() {
  running = false;
  clearTimeout(retryTimer);
  abort?.abort();
}

setInterval(hurryIfSilent, 5_000);
function hurryIfSilent() {
  if (running && live.value.state !== 'lost' && live.value.state !== 'connecting' && Date.now() - heardMs > SILENCE_MS) hurry();
}
addEventListener('online', hurry);
addEventListener('pageshow', hurry);
document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && hurry());
