// A server for the console's tests: the console's files under its real Content-Security-Policy, and the HTTP API over alerts in
// memory. The alerts are those that `rasid detect` opened over a simulated day (alerts.jsonl beside this file, or --alerts), moved so
// that the newest is of now; a larger store repeats them under other ids and entities. It answers what the service answers, and keeps
// what is said about alerts, until it ends.
//
//   node tests/mock.js [--port 8490] [--alerts FILE] [--count 100000] [--per-hour 10000]
//
// Tokens: rsd_reader (read:alerts), rsd_analyst (+ write:feedback, read:risk), rsd_admin (all).
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Book, HOUR } from './mock_book.js';
import { statusOf } from './mock_status.js';

const here = dirname(fileURLToPath(import.meta.url));
const console_ = join(here, '..');
const root = join(console_, '..', '..');

export const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml' };
const TOKENS = {
  rsd_reader: { token: 'tk_1', owner: 'noor', scopes: ['read:alerts'] },
  rsd_analyst: { token: 'tk_2', owner: 'amal', scopes: ['read:alerts', 'write:feedback', 'read:risk'] },
  rsd_admin: { token: 'tk_3', owner: 'karim', scopes: ['read:alerts', 'write:feedback', 'read:risk', 'admin'] },
};

class Problem extends Error {
  constructor(status, title, detail) {
    super(detail);
    Object.assign(this, { status, title, detail });
  }
}

/** Starts one; answers what drives it. */
export async function startMock({ port = 0, streamMs = 50_000, alertsFile = join(here, 'alerts.jsonl'), count = 0, nowMs = Date.now() } = {}) {
  const lines = readFileSync(alertsFile, 'utf8').trim().split('\n');
  const book = new Book(lines.map((line) => JSON.parse(line)), join(root, 'rules'), { count, nowMs });
  const streams = new Set();
  const mock = { book, down: false, requests: [], cpuUs: 0 };

  const send = (stream, event, data, id) => stream.response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n${id === undefined ? '' : `id: ${id}\n`}\n`);
  const sayHere = (stream, position = book.position) => send(stream, 'here', { position, now_ms: Date.now(), event_ms: Date.now() - 1_400 }, position);
  // Of what is told together only the last has an id.
  const sayAll = (stream, entries) => entries.forEach((entry, index) => send(stream, entry.event, entry.data ?? book.info(entry.id), index === entries.length - 1 ? entry.position : undefined));
  let isHushed = false;
  book.told = (entry) => isHushed || streams.forEach((stream) => sayAll(stream, [entry]));
  const beat = setInterval(() => streams.forEach((stream) => sayHere(stream)), 10_000);

  function who(request, scope) {
    const shown = (request.headers.authorization ?? '').replace(/^Bearer /, '');
    const known = TOKENS[shown];
    if (!known) throw new Problem(401, 'Unauthorized', shown ? 'the token is not known, or has expired' : 'a token is needed');
    if (scope && !known.scopes.includes(scope)) throw new Problem(403, 'Forbidden', `the token lacks the scope ${scope}`);
    return known;
  }

  async function bodyOf(request) {
    let text = '';
    for await (const chunk of request) text += chunk;
    try {
      return text ? JSON.parse(text) : {};
    } catch {
      throw new Problem(400, 'Bad Request', 'the body is no JSON');
    }
  }

  function say(request, response, ids, act, body) {
    const { owner } = who(request, 'write:feedback');
    for (const id of ids) if (!book.byId.has(id)) throw new Problem(404, 'Not Found', `there is no alert ${id}`);
    if (ids.length > 1000) throw new Problem(422, 'Unprocessable Content', 'at most 1000 alerts at once');
    if (act !== 'ack' && !body.why) throw new Problem(422, 'Unprocessable Content', 'a reason is needed: `why`');
    return book.say(ids, act, owner, body);
  }

  const routes = [
    ['GET', /^\/v1\/me$/, null, (request) => ({ ...who(request), version: '0.4.0', now_ms: Date.now(), event_ms: Date.now() - 1_400 })],
    ['GET', /^\/v1\/alerts$/, 'read:alerts', (_, query) => book.list(known(query, [...FILTER, 'verdict', 'judged', 'retracted', 'cursor']))],
    ['GET', /^\/v1\/alerts\/groups$/, 'read:alerts', (_, query) => book.groups(known(query, [...FILTER, 'by']))],
    ['GET', /^\/v1\/alerts\/(al_[^/]+)$/, 'read:alerts', (_, __, [id]) => found(book.shown(id), `there is no alert ${id}`)],
    ['POST', /^\/v1\/alerts\/(ack|close|feedback)$/, null, async (request, _, [act], response) => {
      const body = await bodyOf(request);
      return say(request, response, body.ids ?? [], act, body);
    }],
    ['POST', /^\/v1\/alerts\/(al_[^/]+)\/(ack|close|feedback)$/, null, async (request, _, [id, act], response) =>
      say(request, response, [id], act, await bodyOf(request))],
    ['GET', /^\/v1\/rules$/, 'read:alerts', () => ({ ruleset: book.ruleset, rules: book.ruleInfos() })],
    ['GET', /^\/v1\/rules\/([^/]+)$/, 'read:alerts', (_, __, [id]) => found(book.ruleShown(id), `there is no rule ${id}`)],
    ['GET', /^\/v1\/entities\/([^/]+)$/, 'read:alerts', (_, __, [entity]) => book.entity(entity)],
    ['GET', /^\/v1\/risk\/([^/]+)\/([^/]+)$/, 'read:risk', (_, __, [kind, id]) => found(book.risk(`${kind}:${id}`), 'no risk is known')],
    ['GET', /^\/v1\/status$/, 'read:alerts', () => statusOf(book, mock)],
    ['GET', /^\/v1\/dead-letters$/, 'admin', () => ({ dead_letters: book.deadLetters, next_after: null })],
    ['GET', /^\/v1\/parked$/, 'admin', () => book.parked],
    ['POST', /^\/v1\/retract$/, 'admin', async (request) => book.retract(await bodyOf(request))],
    ['GET', /^\/v1\/runbooks\/([a-z_]+)$/, 'read:alerts', (_, __, [name]) => {
      const path = join(root, 'docs', 'runbooks', `${name}.md`);
      return found(existsSync(path) && { text: readFileSync(path, 'utf8') }, `there is no runbook ${name}`);
    }],
  ];

  const FILTER = ['rule', 'area', 'entity', 'severity', 'status', 'mode', 'since_ms', 'until_ms', 'limit'];
  /** What is asked for by a name that there is not is refused. */
  const known = (query, names) => {
    for (const name of query.keys()) if (!names.includes(name)) throw new Problem(400, 'Bad Request', `unknown field \`${name}\``);
    return query;
  };
  const found = (value, detail) => {
    if (!value) throw new Problem(404, 'Not Found', detail);
    return value;
  };

  function stream(request, response, query) {
    who(request, 'read:alerts');
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const one = { response };
    const after = request.headers['last-event-id'] ?? query.get('after');
    const isBack = after !== null && after !== undefined;
    sayHere(one, isBack ? Number(after) : book.position);
    if (isBack) sayAll(one, book.since(Number(after)));
    streams.add(one);
    const end = setTimeout(() => response.end(), mock.streamMs ?? streamMs);
    response.on('close', () => {
      clearTimeout(end);
      streams.delete(one);
    });
  }

  function file(path, response, request) {
    const name = normalize(path === '/' ? '/index.html' : path);
    const at = join(console_, name);
    const served = /^\/(index\.html|[a-z]+\.(js|css|svg)|(lib|parts|pages|lang|vendor)\/[\w.-]+\.(js|css))$/.test(name);
    if (!served || !existsSync(at)) throw new Problem(404, 'Not Found', 'there is nothing here');
    const bytes = readFileSync(at);
    const etag = `"${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}"`;
    const head = { 'content-type': TYPES[extname(at)], 'content-security-policy': CSP, 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cache-control': 'no-cache', etag };
    const same = request.headers['if-none-match'] === etag;
    response.writeHead(same ? 304 : 200, head).end(same ? undefined : bytes);
  }

  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://localhost');
    const path = decodeURIComponent(url.pathname);
    try {
      if (mock.down && path.startsWith('/v1/')) return request.socket.destroy();
      if (!path.startsWith('/v1/')) return file(path, response, request);
      mock.requests.push(`${request.method} ${request.url}`);
      if (path === '/v1/alerts/stream') return stream(request, response, url.searchParams);
      for (const [method, pattern, scope, answer] of routes) {
        const match = pattern.exec(path);
        if (!match || request.method !== method) continue;
        if (scope) who(request, scope);
        const before = process.cpuUsage();
        const value = await answer(request, url.searchParams, match.slice(1), response);
        const body = typeof value.text === 'string' && path.startsWith('/v1/runbooks/') ? value.text : JSON.stringify(value);
        const { user, system } = process.cpuUsage(before);
        mock.cpuUs += user + system; // what a test shall not lay at the page's door
        response.writeHead(200, { 'content-type': path.startsWith('/v1/runbooks/') ? 'text/markdown; charset=utf-8' : 'application/json', 'cache-control': 'no-store' });
        return response.end(body);
      }
      throw new Problem(404, 'Not Found', 'there is nothing here');
    } catch (error) {
      if (!(error instanceof Problem)) console.error(error);
      const { status = 500, title = 'Internal Server Error', detail = String(error) } = error;
      response.writeHead(status, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify({ type: 'about:blank', title, status, detail }));
    }
  });
  await new Promise((done) => server.listen(port, '127.0.0.1', done));

  return Object.assign(mock, {
    url: `http://127.0.0.1:${server.address().port}/`,
    /** Opens so many more alerts now. */
    arrive: (many = 1, change = {}) => Array.from({ length: many }, () => book.open(change)),
    /** Cuts every stream, as a lost network does. */
    cut: () => streams.forEach(({ response }) => response.destroy()),
    /** Says nothing more on the streams that there are, without ending them; and again something, on those that come. */
    hush: (is) => {
      isHushed = is;
      streams.clear();
    },
    async stop() {
      clearInterval(beat);
      streams.forEach(({ response }) => response.destroy());
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const option = (name, otherwise) => {
    const at = process.argv.indexOf(`--${name}`);
    return at < 0 ? otherwise : process.argv[at + 1];
  };
  const mock = await startMock({ port: Number(option('port', 8490)), alertsFile: option('alerts', undefined), count: Number(option('count', 0)) });
  const perHour = Number(option('per-hour', 600));
  if (perHour > 0) setInterval(() => mock.arrive(1), HOUR / perHour);
  console.log(`console at ${mock.url} with ${mock.book.count} alerts; tokens ${Object.keys(TOKENS).join(', ')}`);
}
