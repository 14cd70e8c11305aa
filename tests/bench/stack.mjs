// The two things that are compared, behind one stand-in: nginx alone (the floor), and the whole stack as
// nginx-example/run starts it, with everything on. A third nginx is a provider with TLS and HTTP/2.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { exec, freePort, group, startListener, until } from './processes.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

// The same in both nginx as far as it can be the same: workers, buffers, kept connections.
const nginxConf = (dir, server, upstream) => `
${process.getuid() === 0 ? 'user root;' : ''}
daemon off;
worker_processes auto;
worker_rlimit_nofile 65536;
pid ${dir}/nginx.pid;
error_log ${dir}/nginx-error.log warn;
events { worker_connections 16384; }
http {
  access_log off;
  client_body_temp_path ${dir}/b; proxy_temp_path ${dir}/p; fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
  upstream provider { ${upstream} keepalive 256; keepalive_requests 1000000; }
  server {
    ${server}
    keepalive_requests 1000000;
    client_header_buffer_size 2k;
    client_max_body_size 33m;
    client_body_buffer_size 1m;
    location / {
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 310s;
    }
  }
}
`;

async function startNginx(dir, port, server, upstream) {
  mkdirSync(dir, { recursive: true });
  writeFileSync(`${dir}/nginx.conf`, nginxConf(dir, server, upstream));
  const child = spawn('nginx', ['-p', dir, '-c', `${dir}/nginx.conf`, '-e', `${dir}/nginx-error.log`], { stdio: 'inherit' });
  await until(`nginx on ${port}`, () => new Promise((done) => {
    const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); done(true); });
    socket.on('error', () => done(false));
  }));
  return { pid: child.pid, address: `127.0.0.1:${port}`, pids: () => group([child.pid]), stop: () => child.kill('SIGTERM') };
}

export async function startFloor(build) {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'derouter-bench-'));
  const standin = await startListener(path.join(build, 'derouter-standin'), ['--listen', '127.0.0.1:0']);
  const port = await freePort();
  const nginx = await startNginx(`${dir}/floor`, port, `listen 127.0.0.1:${port} backlog=4096;`, `server ${standin.address};`);
  return { dir, standin, nginx, address: nginx.address, groups: { nginx: nginx.pids() }, stop() { nginx.stop(); standin.stop(); rmSync(dir, { recursive: true, force: true }); } };
}

// A provider behind TLS and HTTP/2, with a certificate of its own.
export async function startTlsProvider(floor) {
  const dir = `${floor.dir}/tls`;
  mkdirSync(dir, { recursive: true });
  const port = await freePort();
  await exec('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=bench',
    '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', `${dir}/key.pem`, '-out', `${dir}/cert.pem`]);
  return startNginx(dir, port, `listen 127.0.0.1:${port} ssl http2 backlog=4096; ssl_certificate ${dir}/cert.pem; ssl_certificate_key ${dir}/key.pem; http2_max_concurrent_streams 100;
    large_client_header_buffers 8 16k;`, `server ${floor.standin.address};`).then((nginx) => ({ ...nginx, ca: `${dir}/cert.pem` }));
}

export async function startStack(build, floor, workers) {
  const state = `${floor.dir}/stack`;
  const port = await freePort();
  const run = path.join(root, 'nginx-example/run');
  const stop = () => exec(run, ['--stop', '--state', state]).catch((error) => console.error(`bench: ${error.stderr}`));
  // Into a file, not a pipe: what it leaves running may keep the other end of a pipe open for ever.
  const out = openSync(`${floor.dir}/run.log`, 'a');
  const child = spawn(run, ['--background', '--no-provider', '--state', state, '--build', build, '--port', String(port), '--workers', String(workers)],
    { stdio: ['ignore', out, out] });
  closeSync(out);
  const code = await new Promise((done) => child.on('exit', done));
  if (code !== 0) { await stop(); throw new Error(`nginx-example/run: ${readFileSync(`${floor.dir}/run.log`, 'utf8')}`); }
  const env = Object.fromEntries(readFileSync(`${state}/env`, 'utf8').split('\n').filter(Boolean).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
  const pidOf = (name) => Number(readFileSync(`${state}/${name}.pid`, 'utf8'));
  const spawners = Array.from({ length: workers }, (_, i) => pidOf(`worker-${i + 1}`));
  const stack = {
    state, env, stop,
    address: `127.0.0.1:${port}`,
    groups: { app: await until('responders', () => { const pids = group(spawners, 'derouter-fcgi'); return pids.length === workers && pids; }), nginx: group([pidOf('nginx')]), redis: group([pidOf('redis')]) },
    ctl: async (...words) => (await exec(env.derouterctl, ['-c', env.config, ...words])).stdout.trim(),
    // One key on an account of its own, or on one that is given.
    async key(account, rpm = 100000) {
      const words = await stack.ctl('key', 'add', account, '--rpm', String(rpm), '--concurrency', '100000');
      return /sk-\S+/.exec(words)[0];
    },
    account: () => stack.ctl('account', 'add', '--credit', '1000000'),
    provider(name, url, model) {
      return new Promise((done, fail) => {
        const child = spawn(env.derouterctl, ['-c', env.config, 'provider', 'add', name, '--dialect', 'anthropic', '--base-url', url, '--allow-http',
          '--credential-file', '-', '--model', model, '--max-concurrency', '100000'], { stdio: ['pipe', 'ignore', 'inherit'] });
        child.on('exit', (code) => (code === 0 ? done() : fail(new Error(`provider add ${name}: ${code}`))));
        child.stdin.end('bench-credential\n');
      });
    },
    // New responders, so that memory is counted from nothing: multiwatch starts them again on the same sockets.
    async restart() {
      const old = stack.groups.app;
      for (const pid of old) process.kill(pid, 'SIGTERM');
      stack.groups.app = await until('new responders', () => {
        const pids = group(spawners, 'derouter-fcgi').filter((pid) => !old.includes(pid));
        return pids.length === workers && pids;
      });
    },
    // Change a setting that may change, and tell the responders.
    reload(name, value) {
      const text = readFileSync(env.config, 'utf8').split('\n').filter((line) => !line.startsWith(`${name} `));
      writeFileSync(env.config, `${text.join('\n').trimEnd()}\n${name} = "${value}"\n`);
      for (const pid of stack.groups.app) process.kill(pid, 'SIGHUP');
    },
  };
  return stack;
}

// How many times Redis read from its clients: each is one round trip begun. One connection, so that asking costs one.
export async function openRedis(socketPath) {
  const socket = net.connect(socketPath);
  await new Promise((done, fail) => { socket.once('connect', done); socket.once('error', fail); });
  return {
    reads: () => new Promise((done) => {
      let text = '';
      const more = (piece) => {
        text += piece;
        const found = /total_reads_processed:(\d+)\r\n/.exec(text);
        if (!found || !text.endsWith('\r\n')) return;
        socket.off('data', more);
        done(Number(found[1]));
      };
      socket.on('data', more);
      socket.write('INFO stats\r\n');
    }),
    close: () => socket.destroy(),
  };
}
