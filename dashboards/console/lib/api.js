// Asks the service. What it refuses is thrown as a Problem, with the service's own words (RFC 9457).
import { ended, forget, me, setClock, token } from './session.js';

const PATIENCE_MS = 15_000;

export class Problem extends Error {
  /** `status` 0: it could not be reached. */
  constructor(status, title, detail) {
    super(detail || title);
    Object.assign(this, { status, title, detail });
  }
}

export function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return given.length ? `?${new URLSearchParams(given)}` : '';
}

async function problemOf(response) {
  const said = await response.json().catch(() => ({}));
  return new Problem(response.status, said.title ?? response.statusText, said.detail ?? '');
}

async function ask(method, path, { body, signal, shown = token.value } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: { authorization: `Bearer ${shown}`, ...(body && { 'content-type': 'application/json' }) },
      body: body && JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]) : AbortSignal.timeout(PATIENCE_MS),
      credentials: 'omit',
      cache: 'no-store',
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, 'unreachable', '');
  }
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (problem.status === 401 && shown === token.value) {
    ended.value = 'expired';
    forget();
  }
  throw problem;
}

export const get = async (path, values = {}, signal = undefined) => (await ask('GET', path + query(values), { signal })).json();
export const getText = async (path, signal = undefined) => (await ask('GET', path, { signal })).text();
export const post = async (path, body) => (await ask('POST', path, { body })).json();

/** Asks whose the token is. It is taken as this session's if the service knows it. */
export async function whoIs(shown) {
  const answer = await (await ask('GET', '/v1/me', { shown })).json();
  setClock(answer.now_ms, answer.event_ms);
  ended.value = null;
  me.value = answer;
  return answer;
}

/** A path's part, made safe. */
export const part = encodeURIComponent;
