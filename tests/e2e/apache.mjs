// apache - Apache 2.4 with the shipped configuration in front of a stack's responders (mod_proxy_fcgi), or, as on shared
// hosting, starting responders of its own by .htaccess (mod_fcgid). Everything is in a directory of its own and ended by pid.
import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build, root, call, freePort, until } from './stack.mjs';

const exec = promisify(execFile);
const MODULES = '/usr/lib/apache2/modules';
const shipped = (name) => readFile(path.join(root, 'nginx-example', name), 'utf8');

// Apache gives up root's rights for its workers: they must get at the sockets. Who is not root keeps its own.
const asRoot = process.getuid() === 0;

async function start(dir, modules, text) {
  const port = await freePort();
  await writeFile(path.join(dir, 'apache.conf'), [
    `ServerRoot ${dir}`, `PidFile ${dir}/apache.pid`, `ErrorLog ${dir}/apache-error.log`, `DefaultRuntimeDir ${dir}/run`, `ServerName 127.0.0.1`,
    `Listen 127.0.0.1:${port}`, ...(asRoot ? ['User www-data', 'Group www-data'] : []),
    ...['mpm_event', 'authz_core', 'authz_host', 'env', 'setenvif', 'headers', 'mime', 'dir', ...modules].map((m) => `LoadModule ${m}_module ${MODULES}/mod_${m}.so`),
    'TypesConfig mime.types', 'StartServers 2', 'ThreadsPerChild 32', 'MaxRequestWorkers 128', text].join('\n'));
  await mkdir(path.join(dir, 'run'), { recursive: true });
  await writeFile(path.join(dir, 'mime.types'), '');
  const child = spawn('apache2', ['-D', 'FOREGROUND', '-f', path.join(dir, 'apache.conf')], { stdio: 'ignore', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } });
  child.ended = new Promise((done) => child.once('exit', done));
  const base = `http://127.0.0.1:${port}`;
  await until('apache', async () => (await call(base, { method: 'GET', path: '/v1/models' })).status === 401);
  return {
    base,
    log: () => readFile(path.join(dir, 'apache-error.log'), 'utf8'),
    async stop() {
      child.kill('SIGTERM');
      await until('apache has ended', () => Promise.race([child.ended.then(() => true), new Promise((done) => setImmediate(done, false))]));
    },
  };
}

// mod_proxy_fcgi: the shipped apache.conf with this stack's sockets.
export async function startApache(stack) {
  const dir = path.join(stack.state, 'apache');
  await mkdir(dir);
  await chmod(stack.state, 0o755);
  for (let i = 1; i <= stack.workers; i++) await chmod(path.join(stack.state, `worker-${i}.sock`), 0o666);
  const members = Array.from({ length: stack.workers }, (_, i) => `  BalancerMember "unix:${stack.state}/worker-${i + 1}.sock|fcgi://derouter-${i + 1}/" $1`).join('\n');
  const text = (await shipped('apache.conf'))
    .replace(/^ {2}BalancerMember .*\/" (.*)\n( {2}BalancerMember .*\n)+/m, `${members}\n`)
    .replaceAll('/usr/local/share/derouter/dashboard', path.join(root, 'dashboard'));
  return start(dir, ['proxy', 'proxy_fcgi', 'proxy_balancer', 'slotmem_shm', 'lbmethod_bybusyness'], text);
}

// mod_fcgid: a folder of a site with the shipped .htaccess and derouter.fcgi, whose responders Apache starts.
export async function startSharedHosting(stack) {
  const dir = path.join(stack.state, 'hosting');
  const home = path.join(dir, 'home');
  const site = path.join(home, 'site');
  await mkdir(site, { recursive: true });
  await mkdir(path.join(home, 'derouter/bin'), { recursive: true });
  await mkdir(path.join(home, 'derouter/spool'));
  await chmod(stack.state, 0o755);
  await chmod(stack.redisSocket, 0o777);
  await writeFile(path.join(site, '.htaccess'), await shipped('htaccess'));
  await writeFile(path.join(site, 'derouter.fcgi'), (await shipped('derouter.fcgi')).replace('/home/you', home), { mode: 0o755 });
  await copyFile(path.join(build, 'derouter-fcgi'), path.join(home, 'derouter/bin/derouter-fcgi'));
  await copyFile(path.join(stack.state, 'secrets.key'), path.join(home, 'derouter/secrets.key'));
  await copyFile(path.join(root, 'config/models.json'), path.join(home, 'derouter/models.json'));
  await writeFile(path.join(home, 'derouter/derouter.conf'), [`redis_address = "unix:${stack.redisSocket}"`, 'store_timeout = 5s', 'log_file = hosting.log'].join('\n'));
  if (asRoot) await exec('chown', ['-R', 'www-data:www-data', home]);
  const text = [await shipped('fcgid.conf'), `FcgidIPCDir ${dir}/run/fcgid`, `FcgidProcessTableFile ${dir}/run/fcgid.shm`, `DocumentRoot ${site}`,
    `<Directory ${site}>`, 'Require all granted', 'AllowOverride FileInfo Options=ExecCGI', '</Directory>'].join('\n');
  const apache = await start(dir, ['rewrite', 'fcgid'], text);
  return { ...apache, responderLog: () => readFile(path.join(home, 'derouter/hosting.log'), 'utf8') };
}
