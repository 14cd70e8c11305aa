// fcgi - a FastCGI client of the plainest kind, for what no web server would say to a responder: one request on a
// connection of its own, its bytes in pieces of whatever size.
import net from 'node:net';

const record = (type, content) => {
  const head = Buffer.from([1, type, 0, 1, content.length >> 8, content.length & 255, 0, 0]);
  return Buffer.concat([head, content]);
};
const size = (n) => (n < 128 ? Buffer.from([n]) : Buffer.from([(n >> 24) | 128, (n >> 16) & 255, (n >> 8) & 255, n & 255]));
const pair = ([name, value]) => {
  const [n, v] = [Buffer.from(name), Buffer.from(value)];
  return Buffer.concat([size(n.length), size(v.length), n, v]);
};

// The bytes of a request.
export function fcgiBytes({ method = 'GET', path = '/api/me', query = '', headers = {}, params = {}, body = '' }) {
  const all = { REQUEST_METHOD: method, REQUEST_URI: query ? `${path}?${query}` : path, QUERY_STRING: query, REMOTE_ADDR: '127.0.0.1', CONTENT_LENGTH: String(Buffer.byteLength(body)) };
  if (body) all.CONTENT_TYPE = 'application/json';
  for (const [name, value] of Object.entries(headers)) all[`HTTP_${name.toUpperCase().replaceAll('-', '_')}`] = value;
  const text = Buffer.concat(Object.entries({ ...all, ...params }).map(pair));
  const pieces = [record(1, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0]))];
  for (let at = 0; at < text.length; at += 60000) pieces.push(record(4, text.subarray(at, at + 60000)));
  pieces.push(record(4, Buffer.alloc(0)));
  const bytes = Buffer.from(body);
  for (let at = 0; at < bytes.length; at += 60000) pieces.push(record(5, bytes.subarray(at, at + 60000)));
  pieces.push(record(5, Buffer.alloc(0)));
  return Buffer.concat(pieces);
}

function answerOf(bytes) {
  const out = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const n = bytes.readUInt16BE(at + 4);
    if (bytes[at + 1] === 6) out.push(bytes.subarray(at + 8, at + 8 + n));
    at += 8 + n + bytes[at + 6];
  }
  const text = Buffer.concat(out).toString();
  const [head, ...rest] = text.split('\r\n\r\n');
  const body = rest.join('\r\n\r\n');
  let json;
  try {
    json = JSON.parse(body);
  } catch {
    json = undefined;
  }
  return { status: Number(/^Status: (\d+)/.exec(head)?.[1] ?? 0), head, text: body, json };
}

// Ask a responder on its socket. `step`: so many bytes at a time; `leave`: go after that many, without an answer, once
// `when` has come.
export function fcgi(socket, request, { step = Infinity, leave, when } = {}) {
  return new Promise((done, fail) => {
    const bytes = Buffer.isBuffer(request) ? request : fcgiBytes(request);
    const end = Math.min(leave ?? Infinity, bytes.length), got = [];
    const peer = net.connect(socket, async () => {
      for (let at = 0; at < end; at += step) {
        peer.write(bytes.subarray(at, Math.min(at + step, end)));
        if (step !== Infinity) await new Promise(setImmediate);
      }
      await when;
      if (leave !== undefined) peer.end(() => peer.destroy());
    });
    peer.setNoDelay(true);
    peer.on('data', (piece) => got.push(piece));
    peer.on('error', leave !== undefined ? done : fail);
    peer.on('close', () => done(answerOf(Buffer.concat(got))));
  });
}
