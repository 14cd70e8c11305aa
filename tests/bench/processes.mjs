// What the kernel knows of a group of processes: processor time and memory. And how to start and end them.
import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { readFileSync, readdirSync } from 'node:fs';
import net from 'node:net';

export const exec = promisify(execFile);
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const read = (file) => { try { return readFileSync(file, 'utf8'); } catch { return ''; } };

export async function freePort() {
  const server = net.createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

export async function until(what, ask, seconds = 15) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await Promise.resolve().then(ask).catch(() => false);
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`);
    await sleep(25);
  }
}

// The process itself and all that descend from it.
function family(pid) {
  const pids = [pid];
  for (const task of read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean)) pids.push(...family(Number(task)));
  return pids;
}

// A group under its name: `of` are pids whose descendants belong to it; `only` keeps one program of them.
export function group(of, only) {
  const pids = of.flatMap(family).filter((pid) => !only || read(`/proc/${pid}/comm`).trim() === only);
  if (pids.length === 0) throw new Error(`no process ${only || of} to watch`);
  return pids;
}

// Microseconds on a processor since birth. schedstat counts nanoseconds, stat only hundredths of a second.
function cpuOf(pid) {
  let us = 0;
  let tasks = [];
  try { tasks = readdirSync(`/proc/${pid}/task`); } catch { return 0; }
  for (const task of tasks) {
    const sched = read(`/proc/${pid}/task/${task}/schedstat`);
    if (sched) us += Number(sched.split(' ')[0]) / 1000;
    else {
      const fields = read(`/proc/${pid}/task/${task}/stat`).split(') ')[1]?.split(' ');
      if (fields) us += (Number(fields[11]) + Number(fields[12])) * 10000;
    }
  }
  return us;
}

export function cpu(groups) {
  return Object.fromEntries(Object.entries(groups).map(([name, pids]) => [name, pids.reduce((sum, pid) => sum + cpuOf(pid), 0)]));
}

export function difference(after, before) {
  return Object.fromEntries(Object.keys(after).map((name) => [name, after[name] - before[name]]));
}

// Resident memory of each process, in KB.
export const resident = (pids) => pids.map((pid) => Number(/VmRSS:\s+(\d+)/.exec(read(`/proc/${pid}/status`))?.[1] || 0));
export const total = (numbers) => numbers.reduce((a, b) => a + b, 0);

// A daemon that says on its first line where it listens.
export async function startListener(program, args) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const line = await new Promise((done, fail) => {
    child.stdout.once('data', (text) => done(String(text).split('\n')[0]));
    child.once('error', fail);
    child.once('exit', (code) => fail(new Error(`${program} ended with ${code}`)));
  });
  child.removeAllListeners('exit');
  return { pid: child.pid, address: line.replace('listening ', ''), stop: () => child.kill('SIGTERM') };
}
