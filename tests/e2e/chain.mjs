// chain - a real EVM chain (anvil) with a token like USDC, and the watcher over a redis-server of its own. Blocks are
// mined when a test says so. Everything is ended by pid.
import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { readFileSync, writeFileSync, openSync, closeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { build, root, freePort, until } from './stack.mjs';

const exec = promisify(execFile);
const token = JSON.parse(readFileSync(path.join(import.meta.dirname, 'token/TestUsdc.json'), 'utf8'));
const bin = createRequire(import.meta.url).resolve('@foundry-rs/anvil-linux-amd64/package.json');
const word = (n) => BigInt(n).toString(16).padStart(64, '0');
const hex = (n) => `0x${BigInt(n).toString(16)}`;
export const TREASURY = '0x00000000000000000000000000000000C0FfEe01';
export const usdc = (text) => BigInt(Math.round(Number(text) * 1e6));

// The program says "listening URL" once it serves; resolves to { url, pid, stop }.
async function listening(program, args, pattern) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((done) => child.once('exit', done));
  const url = await new Promise((done, fail) => {
    let out = '';
    child.stdout.on('data', (piece) => {
      out += piece;
      const found = pattern.exec(out);
      if (found) done(found[1]);
    });
    child.once('exit', (code) => fail(new Error(`${program} ended with ${code}: ${out}`)));
  });
  child.unref();
  child.stdout.unref();
  return { url, pid: child.pid, stop: async () => (child.ref(), child.kill('SIGTERM'), ended) };
}

export async function startChain({ port, state } = {}) {
  port ??= await freePort();
  const args = ['--port', String(port), '--no-mining', '--slots-in-an-epoch', '4', '--accounts', '6', ...(state ? ['--state', state] : [])];
  const program = path.join(path.dirname(bin), 'bin/anvil');
  let anvil = await listening(program, args, /Listening on (\S+)/);
  const chain = {
    url: `http://127.0.0.1:${port}`,
    async rpc(method, ...params) {
      const answer = await fetch(chain.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }) });
      const { result, error } = await answer.json();
      if (error) throw new Error(`${method}: ${error.message}`);
      return result;
    },
    mine: (n = 1) => chain.rpc('anvil_mine', hex(n)),
    head: async () => Number(await chain.rpc('eth_blockNumber')),
    // with a fixed price the same payment after a re-organisation is the same transaction
    call: (from, method, ...args) => chain.rpc('eth_sendTransaction', { from, to: chain.usdc, gas: hex(200000), gasPrice: hex(5000000000), data: `0x${token.methods[method]}${args.map(word).join('')}` }),
    mint: (to, units) => chain.call(chain.accounts[0], 'mint(address,uint256)', to, units),
    pay: (from, units, to = TREASURY) => chain.call(from, 'transfer(address,uint256)', to, units),
    payTwice: (from, a, b) => chain.call(from, 'transferTwice(address,uint256,uint256)', TREASURY, a, b),
    balance: async (who = TREASURY) => BigInt(await chain.rpc('eth_call', { to: chain.usdc, data: `0x${token.methods['balanceOf(address)']}${word(who)}` }, 'latest')),
    receipt: (tx) => chain.rpc('eth_getTransactionReceipt', tx),
    async restart() {
      await anvil.stop();
      anvil = await listening(program, args, /Listening on (\S+)/);
    },
    stop: () => anvil.stop(),
  };
  chain.accounts = await chain.rpc('eth_accounts');
  const tx = await chain.rpc('eth_sendTransaction', { from: chain.accounts[0], gas: hex(3000000), data: token.bytecode });
  await chain.mine();
  chain.usdc = (await chain.receipt(tx)).contractAddress;
  for (const account of chain.accounts) await chain.mint(account, usdc('1000000'));
  await chain.mine(3);
  return chain;
}

export async function startProxy(chain) {
  const proxy = await listening(process.execPath, [path.join(import.meta.dirname, 'chain-proxy.mjs'), chain.url], /listening (\S+)/);
  proxy.fault = (fault = {}) => fetch(`${proxy.url}/fault`, { method: 'POST', body: JSON.stringify(fault) });
  proxy.batches = async () => Number(await (await fetch(`${proxy.url}/batches`)).text());
  return proxy;
}

// What a chains_file says of this chain.
export const chainRow = (chain, rpc, more = {}) => ({
  id: 31337, name: 'Anvil', rpc, usdc: chain.usdc, treasury: TREASURY, confirmations: 2, start_block: 0, min_deposit: '0.1', ...more,
});

export const FAST = {
  deposits_poll: '40ms', deposits_poll_fast: '20ms', chain_backoff: '20ms', chain_backoff_max: '100ms', chain_timeout: '2s', watcher_ttl: '150ms', store_timeout: '2s',
};

// A redis-server, a watcher that does deposits, derouterctl.
export async function startWatched(row, { set = {} } = {}) {
  const state = await mkdtemp(path.join(os.tmpdir(), 'derouter-deposits-'));
  const config = path.join(state, 'derouter.conf');
  const socket = path.join(state, 'redis.sock');
  const log = path.join(state, 'watcher.log');
  let redis, watcher;
  const others = [];
  writeFileSync(path.join(state, 'secrets.key'), '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n', { mode: 0o600 });
  const w = {
    state,
    write(next = row, settings = {}) {
      writeFileSync(path.join(state, 'chains.json'), JSON.stringify({ chains: [next] }));
      writeFileSync(config, Object.entries({
        redis_address: `unix:${socket}`, models_file: path.join(root, 'config/models.json'), chains_file: path.join(state, 'chains.json'), ...FAST, ...set, ...settings,
      }).map(([k, v]) => `${k} = "${v}"\n`).join(''));
    },
    async startRedis() {
      redis = spawn('redis-server', ['--port', '0', '--unixsocket', socket, '--dir', state, '--appendonly', 'yes', '--appendfsync', 'always', '--save', ''], { stdio: 'ignore' });
      redis.ended = new Promise((done) => redis.once('exit', done));
      await until('redis-server', async () => (await w.redis('PING')) === 'PONG');
    },
    async killRedis() {
      redis.kill('SIGKILL');
      await redis.ended;
    },
    startWatcher(...words) {
      const fd = openSync(log, 'a');
      watcher = spawn(path.join(build, 'derouter-watcher'), ['-c', config, ...words], { stdio: ['ignore', fd, fd] });
      closeSync(fd);
      watcher.ended = new Promise((done) => watcher.once('exit', (code, signal) => done(code ?? signal)));
    },
    // One beside it, which asks other nodes: { kill(signal), log() }.
    anotherWatcher(rpc, ...words) {
      const chains = path.join(state, 'other-chains.json');
      const own = path.join(state, 'other-watcher.log');
      writeFileSync(chains, JSON.stringify({ chains: [{ ...row, rpc }] }));
      const fd = openSync(own, 'a');
      const child = spawn(path.join(build, 'derouter-watcher'), ['-c', config, '--set', `chains_file=${chains}`, ...words], { stdio: ['ignore', fd, fd] });
      closeSync(fd);
      const ended = new Promise((done) => child.once('exit', (code, signal) => done(code ?? signal)));
      others.push(child);
      return { ended, kill: async (signal) => (child.kill(signal), ended), log: () => readFile(own, 'utf8') };
    },
    async killWatcher(signal = 'SIGKILL') {
      watcher.kill(signal);
      return watcher.ended;
    },
    async redis(...words) {
      const { stdout } = await exec('redis-cli', ['-s', socket, ...words]);
      return stdout.trim();
    },
    async ctl(...words) {
      const { stdout } = await exec(path.join(build, 'derouterctl'), ['-c', config, ...words]);
      return stdout.trim();
    },
    json: async (...words) => JSON.parse(await w.ctl('--json', ...words)),
    deposits: (...words) => w.json('deposit', 'list', ...words),
    // The account whose proved wallet this is.
    async account(wallet, credit = '0') {
      const id = await w.ctl('account', 'add', '--credit', credit);
      if (wallet) await w.link(wallet, id);
      return id;
    },
    link: (wallet, id) => w.redis('SET', `wallet:{${wallet.toLowerCase()}}`, id),
    balance: async (id) => BigInt(await w.redis('HGET', `{a:${id}}:account`, 'balance')),
    async ledger(id) {
      const rows = (await w.redis('--json', 'XRANGE', `{a:${id}}:ledger`, '-', '+'));
      return JSON.parse(rows).map(([, fields]) => (Array.isArray(fields) ? Object.fromEntries(Array.from({ length: fields.length / 2 }, (_, i) => [fields[2 * i], fields[2 * i + 1]])) : fields));
    },
    log: () => readFile(log, 'utf8').catch(() => ''),
    says: (text) => until(`the watcher says "${text}"`, async () => (await w.log()).includes(text)),
    // A round that began after this call is over.
    async round() {
      const ok = async () => Number(await w.redis('HGET', '{dep:31337}:health', 'ok_ms'));
      for (let i = 0; i < 2; i++) {
        const before = await ok();
        await until('a whole round', async () => (await ok()) > before);
      }
    },
    async stop() {
      for (const other of others) other.kill('SIGKILL'); // of a test that has failed
      const end = await w.killWatcher('SIGTERM');
      await w.killRedis();
      const text = await w.log();
      if (!process.env.KEEP_STATE) await rm(state, { recursive: true, force: true });
      if (/AddressSanitizer|runtime error:|LeakSanitizer|bug at /.test(text)) throw new Error(`the watcher reported trouble:\n${text.slice(-20000)}`);
      return end;
    },
  };
  w.write();
  await w.startRedis();
  return w;
}
