// api - the one way to /api. Answers are JSON; what goes wrong is an ApiError in the gateway's own words. A session that
// has ended is told once to the whole page ("signed-out"); a gateway out of reach too ("offline", "online").
import { state, tell } from './store.js';

export class ApiError extends Error {
  constructor(message, { status = 0, code = null, requestId = null, retryAfter_ms = 0 } = {}) {
    super(message);
    this.name = 'ApiError';
    Object.assign(this, { status, code, requestId, retryAfter_ms });
  }
  // Nothing came back, or nothing from DeRouter itself.
  get offline() {
    return this.status === 0;
  }
}

let offline = false;
function reached(yes) {
  if (offline === !yes) return;
  offline = !yes;
  tell(yes ? 'online' : 'offline');
}

window.addEventListener('offline', () => reached(false));

function retryAfter(headers) {
  const text = headers.get('retry-after');
  if (!text) return 0;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? Math.min(ms, 120000) : 0;
}

async function errorOf(response) {
  const text = await response.text().catch(() => '');
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    body = null;
  }
  // the web server's own 502: no responder is there
  const plain = response.status === 502 ? 'DeRouter cannot be reached' : `DeRouter answered with status ${response.status}`;
  return new ApiError(body?.error?.message ?? plain, {
    status: response.status,
    code: body?.error?.code ?? null,
    requestId: response.headers.get('request-id'),
    retryAfter_ms: retryAfter(response.headers),
  });
}

const pause = (ms, signal) =>
  new Promise((done, fail) => {
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', () => (clearTimeout(timer), fail(signal.reason)), { once: true });
  });

async function once(method, path, body, signal) {
  let response;
  try {
    response = await fetch(path, {
      method,
      signal,
      credentials: 'same-origin',
      redirect: 'error',
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    reached(false);
    throw new ApiError(navigator.onLine ? 'DeRouter cannot be reached' : 'You are offline');
  }
  // The web server answers for responders that are away.
  reached(response.status !== 502);
  if (!response.ok) throw await errorOf(response);
  return response.json();
}

// GETs that were told to come again later do so, twice at most; what changes something is never sent twice.
async function ask(method, path, { body, signal, quiet401 = false } = {}) {
  for (let round = 0; ; round++) {
    try {
      return await once(method, path, body, signal);
    } catch (error) {
      const wait = error.retryAfter_ms;
      if (error.status === 401 && !quiet401 && state.me) tell('signed-out', error);
      if (method !== 'GET' || ![429, 502, 503].includes(error.status) || !wait || wait > 10000 || round >= 2) throw error;
      await pause(wait, signal);
    }
  }
}

// query({ key: 'x', model: '' }) -> "?key=x"
export function query(values) {
  const pairs = Object.entries(values).filter(([, value]) => value !== '' && value !== null && value !== undefined);
  return pairs.length ? `?${new URLSearchParams(pairs)}` : '';
}

export const get = (path, options) => ask('GET', path, options);
export const post = (path, body, options) => ask('POST', path, { ...options, body });
export const patch = (path, body, options) => ask('PATCH', path, { ...options, body });
export const remove = (path, options) => ask('DELETE', path, options);

// A list in full, page by page, up to `most` rows.
export async function all(path, options, most = 1000) {
  const rows = [];
  for (let cursor = ''; ; ) {
    const page = await get(`${path}${query({ cursor })}`, options);
    rows.push(...page.data);
    if (!page.has_more || !page.next_cursor || rows.length >= most) return rows;
    cursor = page.next_cursor;
  }
}
