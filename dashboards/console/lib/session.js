// Who is signed in: a token, and what the service says it may do. The token is in this tab alone unless a person asked for it to be
// kept on the device.
import { computed, signal } from './view.js';

const KEY = 'rasid.token';

function read(storage) {
  try {
    return storage().getItem(KEY);
  } catch {
    return null; // storage is refused
  }
}

/** The token, or null. */
export const token = signal(read(() => sessionStorage) ?? read(() => localStorage));
/** `{token, owner, scopes, version, now_ms, runbook_url}` once the service has said so. */
export const me = signal(null);
/** Why one is asked to sign in again: `expired`, or null. */
export const ended = signal(null);
/** How far the service's time is ahead of this device's clock, ms. */
const aheadMs = signal(0);
/** Whether that time is the event clock, as events are not of now: a demo, a replay. */
export const byEvents = signal(false);

export const can = (scope) => me.value?.scopes.includes(scope) ?? false;
export const signedIn = computed(() => token.value !== null && me.value !== null);
/** The service's time, Unix ms: what ages are counted to. */
export const nowMs = () => Date.now() + aheadMs.value;

/** Further than this from the wall clock, the event clock is what ages make sense by. */
const APART_MS = 600_000;
/** Less than this is the way through the network. */
const NEAR_MS = 2_000;

/** Takes the service's clocks: the wall clock, and that of the events where it says so. */
export function setClock(wallMs, eventMs) {
  byEvents.value = typeof eventMs === 'number' && eventMs > 0 && Math.abs(eventMs - wallMs) > APART_MS;
  const ahead = (byEvents.value ? eventMs : wallMs) - Date.now();
  aheadMs.value = Math.abs(ahead) < NEAR_MS ? 0 : ahead;
}

/** An alert was opened then: the event clock is at least there. */
export function seen(openedAtMs) {
  if (byEvents.value && openedAtMs > nowMs()) aheadMs.value = openedAtMs - Date.now();
}

export function keep(shown, onDevice) {
  forget();
  try {
    (onDevice ? localStorage : sessionStorage).setItem(KEY, shown);
  } catch {
    // Storage is refused: it holds until the page is closed.
  }
  token.value = shown;
}

export function forget() {
  for (const storage of [() => sessionStorage, () => localStorage]) {
    try {
      storage().removeItem(KEY);
    } catch {
      // As above.
    }
  }
  token.value = null;
  me.value = null;
}
