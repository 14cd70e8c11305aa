// stack - the real thing for a test: redis-server, responders, nginx and lighttpd, all private to one
// state directory, with the scripted provider behind. Everything is ended by pid in stop().
import { execFile, spawn } from 'node:child_process';
import { createHash, randomInt } from 'node:crypto';
import { promisify } from 'node:util';
import { mkdtemp, readFile, writeFile, mkdir, rm } from 'node:fs/promises';
import { closeSync, openSync, readFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import http from 'node:http';

const exec = promisify(execFile);
export const root = path.resolve(import.meta.dirname, '../..');
export const build = process.env.DEROUTER_BUILD || path.join(root, 'build/release');
// Every other DEROUTER_ variable is a setting to the programs under test: none may leak into them.
for (const name of Object.keys(process.env)) if (name.startsWith('DEROUTER_')) delete process.env[name];

export async function freePort() {
  const server = net.createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

// Ask until the answer is truthy. Generous: a slow machine is no failure.
export async function until(what, ask, seconds = 30) {
  const end = Date.now() + seconds * 1000;
  let last;
  for (;;) {
    try {
      last = await ask();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s (last: ${last?.stack || JSON.stringify(last)})`);
    await new Promise((done) => setImmediate(() => setTimeout(done, 10)));
  }
}

// One HTTP exchange without any client library: status, headers, body as text, pieces as they came.
export function call(base, { method = 'POST', path: where = '/v1/messages', headers = {}, body, agent } = {}) {
  return new Promise((done, fail) => {
    const url = new URL(where, base);
    const data = body === undefined ? undefined : typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const request = http.request(
      url,
      { method, agent, headers: { ...(data !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(data) }), ...headers } },
      (response) => {
        const pieces = [];
        response.on('data', (piece) => pieces.push({ at: Date.now(), bytes: piece }));
        response.on('error', fail);
        response.on('end', () => {
          const text = Buffer.concat(pieces.map((p) => p.bytes)).toString();
          let json;
          try {
            json = JSON.parse(text);
          } catch {
            json = undefined;
          }
          done({ status: response.statusCode, headers: response.headers, text, json, pieces });
        });
      },
    );
    request.on('error', fail);
    if (data !== undefined) request.write(data);
    request.end();
  });
}

export async function startStandin(dir, name = 'standin', args = []) {
  const log = path.join(dir, `${name}.jsonl`);
  const child = spawn(path.join(build, 'derouter-standin'), ['--listen', '127.0.0.1:0', '--log', log, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const address = await new Promise((done, fail) => {
    let out = '';
    child.stdout.on('data', (piece) => {
      out += piece;
      const found = /^listening (\S+)\n/m.exec(out);
      if (found) done(found[1]);
    });
    child.on('exit', (code) => fail(new Error(`stand-in ended with ${code}`)));
  });
  child.unref();
  return {
    url: `http://${address}`,
    pid: child.pid,
    // What it saw and answered, oldest first.
    requests: async () => (await readFile(log, 'utf8').catch(() => '')).split('\n').filter(Boolean).map((line) => JSON.parse(line)),
    stop: () => child.kill('SIGKILL'),
  };
}

export async function startStack({ workers = 2, set = {}, lighttpd = true } = {}) {
  const state = await mkdtemp(path.join(os.tmpdir(), 'derouter-e2e-'));
  const port = await freePort();
  const args = ['--background', '--no-provider', '--build', build, '--state', state, '--port', String(port), '--workers', String(workers)];
  for (const [name, value] of Object.entries(set)) args.push('--set', `${name}=${value}`);
  await exec(path.join(root, 'nginx-example/run'), args, { maxBuffer: 1 << 24 }).catch((error) => {
    throw new Error(`nginx-example/run failed: ${error.stdout}\n${error.stderr}`);
  });
  const env = Object.fromEntries(readFileSync(path.join(state, 'env'), 'utf8').split('\n').filter(Boolean).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
  const standins = [];
  const stack = {
    state,
    workers,
    nginx: env.base_url,
    key: env.api_key,
    account: env.account,
    redisSocket: env.redis_socket,
    async ctl(...words) {
      const { stdout } = await exec(env.derouterctl, ['-c', env.config, ...words], { maxBuffer: 1 << 28 });
      return stdout.trim();
    },
    // Like ctl, but with what stands on standard input.
    ctlWithInput(input, ...words) {
      return new Promise((done, fail) => {
        const child = execFile(env.derouterctl, ['-c', env.config, ...words], (error, stdout, stderr) =>
          error ? fail(Object.assign(error, { stdout, stderr })) : done(stdout.trim()));
        child.stdin.end(input);
      });
    },
    async json(...words) {
      return JSON.parse(await stack.ctl('--json', ...words));
    },
    async redis(...words) {
      const { stdout } = await exec('redis-cli', ['-s', env.redis_socket, ...words]);
      return stdout.trim();
    },
    async account_with(credit) {
      return stack.ctl('account', 'add', '--credit', credit);
    },
    async key_of(account, ...options) {
      return stack.ctl('key', 'add', account, ...options);
    },
    // A session of the dashboard as a login makes it, without a wallet: gives its token.
    async session_of(account, wallet = '0x00000000000000000000000000000000000000aa', seconds = 3600) {
      const letters = 'abcdefghijklmnopqrstuvwxyz0123456789';
      const draw = (n) => Array.from({ length: n }, () => letters[randomInt(letters.length)]).join('');
      const [id, secret, now] = [draw(6), draw(43), Date.now()];
      const sha = createHash('sha256').update(secret).digest('hex');
      await stack.redis('HSET', `{a:${account}}:sessions`, id, `${sha} ${wallet} ${now} ${now + seconds * 1000}`);
      await stack.redis('HSETNX', `{a:${account}}:wallets`, wallet, String(now));
      return `drs-${account}-${id}-${secret}`;
    },
    async standin(name = 'standin', options = []) {
      const standin = await startStandin(state, name, options);
      standins.push(standin);
      return standin;
    },
    // A provider in front of a URL; models as [HERE=THERE, ...].
    async provider(name, url, { dialects = ['anthropic', 'openai'], models, max = 1000, extra = [] }) {
      const words = ['provider', 'add', name, '--base-url', url, '--allow-http', '--credential-file', '-', '--max-concurrency', String(max)];
      for (const dialect of dialects) words.push('--dialect', dialect);
      for (const model of models) words.push('--model', model);
      await stack.ctlWithInput('test-credential\n', ...words, ...extra);
    },
    // Changes made with derouterctl are in force within two seconds: ask until they show.
    async online(model, key = env.api_key) {
      await until(`${model} online`, async () => {
        const hits = await Promise.all(Array.from({ length: 4 * workers }, () =>
          call(env.base_url, { method: 'GET', path: '/v1/models', headers: { 'x-api-key': key } })));
        return hits.every((hit) => hit.json?.data?.some((m) => m.id === model));
      });
    },
    async accessLog() {
      return (await readFile(path.join(state, 'access.log'), 'utf8').catch(() => '')).split('\n').filter(Boolean).map((line) => JSON.parse(line));
    },
    async operatorLog() {
      const texts = await Promise.all(['derouter.log', 'watcher.log', ...Array.from({ length: workers }, (_, i) => `worker-${i + 1}.log`)].map((name) =>
        readFile(path.join(state, name), 'utf8').catch(() => '')));
      return texts.join('');
    },
    async workerPids() {
      const pids = [];
      for (let i = 1; i <= workers; i++) {
        const parent = (await readFile(path.join(state, `worker-${i}.pid`), 'utf8')).trim();
        const { stdout } = await exec('pgrep', ['-P', parent]).catch(() => ({ stdout: '' }));
        pids.push(...stdout.split('\n').filter(Boolean).map(Number));
      }
      return pids;
    },
    async killRedis() {
      const pid = Number((await readFile(path.join(state, 'redis.pid'), 'utf8')).trim());
      process.kill(pid, 'SIGKILL');
      await until('redis-server is gone', () => {
        try {
          return process.kill(pid, 0) && false;
        } catch {
          return true;
        }
      });
    },
    // Another redis-server on what the killed one has written.
    async startRedis(...options) {
      const own = (name) => path.join(state, name);
      await exec('redis-server', ['--port', '0', '--unixsocket', env.redis_socket, '--unixsocketperm', '700', '--dir', own('redis'), '--appendonly', 'yes',
        '--maxmemory-policy', 'noeviction', '--save', '', '--daemonize', 'yes', '--pidfile', own('redis.pid'), '--logfile', own('redis.log'), ...options]);
      await until('redis-server', async () => (await stack.redis('PING')) === 'PONG');
    },
    async reloadNginx() {
      process.kill(Number((await readFile(path.join(state, 'nginx.pid'), 'utf8')).trim()), 'SIGHUP');
    },
    async watcherPid() {
      return Number((await readFile(path.join(state, 'watcher.pid'), 'utf8')).trim());
    },
    // Another one in the place of a watcher that a test has killed.
    async startWatcher() {
      const log = openSync(path.join(state, 'watcher.log'), 'a');
      const child = spawn(path.join(build, 'derouter-watcher'), ['-c', env.config], { stdio: ['ignore', log, log] });
      closeSync(log);
      child.unref();
      await writeFile(path.join(state, 'watcher.pid'), `${child.pid}\n`);
    },
    // Change settings of the running responders and the watcher; true for all of them once this returns.
    async reload(settings) {
      const watcher = await stack.watcherPid().catch(() => 0);
      const pids = [...(await stack.workerPids()), ...(watcher ? [watcher] : [])];
      const told = async () => ((await stack.operatorLog()).match(/configuration read anew/g) ?? []).length;
      const before = await told();
      let text = await readFile(env.config, 'utf8');
      for (const [name, value] of Object.entries(settings)) text = text.replace(new RegExp(`^${name} = .*\n`, 'm'), '') + `${name} = "${value}"\n`;
      await writeFile(env.config, text);
      for (const pid of pids) process.kill(pid, 'SIGHUP');
      await until('configuration read anew', async () => (await told()) >= before + pids.length);
    },
    async stop() {
      if (stack.lighttpdProcess) stack.lighttpdProcess.kill('SIGKILL');
      for (const standin of standins) standin.stop();
      await exec(path.join(root, 'nginx-example/run'), ['--stop', '--state', state]);
      const log = await stack.operatorLog();
      if (!process.env.KEEP_STATE) await rm(state, { recursive: true, force: true });
      if (/AddressSanitizer|runtime error:|LeakSanitizer|bug at /.test(log)) throw new Error(`the responder reported trouble:\n${log.slice(-20000)}`);
    },
  };
  if (lighttpd) stack.lighttpd = await startLighttpd(stack);
  return stack;
}

// lighttpd with the shipped configuration, in front of the same responders.
async function startLighttpd(stack) {
  const port = await freePort();
  const dir = path.join(stack.state, 'lighttpd');
  await mkdir(path.join(dir, 'tmp-body'), { recursive: true });
  await exec('cp', ['-r', path.join(root, 'nginx-example/errors'), dir]);
  const servers = Array.from({ length: stack.workers }, (_, i) =>
    `    ( "socket" => "${stack.state}/worker-${i + 1}.sock", "check-local" => "disable" )`).join(',\n');
  const text = readFileSync(path.join(root, 'nginx-example/lighttpd.conf'), 'utf8')
    .replace(/( *\( "socket" => .*\n)+/, `${servers}\n`)
    .replace(/^server\.(user|group)name = .*\n/gm, '') // it keeps the rights of who runs the tests
    .replace('server.port = 8080', `server.port = ${port}`)
    .replace('/run/lighttpd.pid', `${dir}/lighttpd.pid`)
    .replace('/var/log/lighttpd/error.log', `${dir}/lighttpd-error.log`)
    .replace('/var/cache/lighttpd/uploads', `${dir}/tmp-body`)
    .replaceAll('/etc/lighttpd/errors', `${dir}/errors`)
    .replaceAll('/usr/local/share/derouter/dashboard', path.join(root, 'dashboard'));
  await writeFile(path.join(dir, 'lighttpd.conf'), text);
  stack.lighttpdProcess = spawn('lighttpd', ['-D', '-f', path.join(dir, 'lighttpd.conf')], {
    stdio: 'ignore',
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
  });
  stack.lighttpdProcess.unref();
  const base = `http://127.0.0.1:${port}`;
  await until('lighttpd', async () => (await call(base, { method: 'GET', path: '/readyz' })).status === 200);
  return base;
}
