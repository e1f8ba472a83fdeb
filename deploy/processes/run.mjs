/**
 * `node run.mjs FOLDER`: the application in FOLDER in production on one machine, without containers: nginx, two web processes, two worker
 * commands, Redis with an append-only file, and PostgreSQL. README.md has the details.
 *
 * SIGHUP deploys what is in FOLDER now, one process after the other. SIGTERM and SIGINT stop everything.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const app = resolve(process.argv[2] ?? '.');
const state = resolve(process.env.STATE ?? 'shop-state');
const ports = portsFrom(Number(process.env.FIRST_PORT ?? 8080));
mkdirSync(state, { recursive: true });

/** PostgreSQL does not run as root. */
const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
const services = new Map();
let isStopping = false;

process.on('SIGHUP', () => {
  deploy().catch((error) => log(`The deploy failed, and what runs goes on: ${error.message}`));
});
process.on('exit', () => {
  for (const { child } of services.values()) child.kill();
});
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => void stopAll());

const redis = process.env.TASK_QUEUE_URL ?? (await startRedis());
const database = process.env.DATABASE_URL ?? (await startPostgres());
const environment = { ...process.env, NODE_ENV: 'production', TASK_QUEUE_URL: redis, DATABASE_URL: database };
execFileSync(process.execPath, ['dist/migrate.js'], { cwd: app, env: environment, stdio: 'inherit' });
const webs = [1, 2].map((number) => ({
  name: `web-${number}`,
  command: [process.execPath, 'dist/main.js'],
  env: { ...environment, TASK_QUEUE_ROLE: 'producer', PORT: String(ports.web + number) },
  ready: `http://127.0.0.1:${ports.web + number}/health/ready`,
}));
const workers = [1, 2].map((number) => ({
  name: `worker-${number}`,
  command: ['node_modules/.bin/nestjs-task-queue', 'worker', './dist/app.module.js', '--concurrency', '1'],
  env: { ...environment, TASK_QUEUE_GRACE: '30s', TASK_QUEUE_HEALTH_PORT: String(ports.worker + number) },
  ready: `http://127.0.0.1:${ports.worker + number}/ready`,
}));
for (const service of [...webs, ...workers]) start(service);
await Promise.all([...webs, ...workers].map(isReady));
start(proxy());
await answers(ports.proxy);
log(`Ready on http://127.0.0.1:${ports.proxy}. SIGHUP deploys, SIGTERM stops.`);

/** The new build goes live: first the workers, which know old and new tasks, then one web process after the other. */
async function deploy() {
  log('SIGHUP: deploys.');
  execFileSync(process.execPath, ['dist/migrate.js'], { cwd: app, env: environment, stdio: 'inherit' });
  for (const worker of workers) {
    const before = services.get(worker.name).output.match(/All processes are new/g)?.length ?? 0;
    services.get(worker.name).child.kill('SIGHUP');
    await until(() => (services.get(worker.name).output.match(/All processes are new/g)?.length ?? 0) > before);
    await isReady(worker);
  }
  for (const web of webs) {
    await stop(web.name);
    start(web);
    await isReady(web);
  }
  log('Deployed.');
}

/** Starts a process, and starts it again when it ends by itself. */
function start(service) {
  const [file, ...args] = service.command;
  const child = spawn(file, args, { cwd: app, stdio: ['ignore', 'pipe', 'pipe'], ...service });
  const running = { service, child, output: '', isStopping: false, ended: once(child, 'exit') };
  services.set(service.name, running);
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      running.output = (running.output + text).slice(-100_000);
      for (const line of text.split('\n').filter(Boolean)) console.log(`${service.name}: ${line}`);
    });
  }
  child.on('exit', (code, signal) => {
    if (running.isStopping || isStopping) return;
    log(`${service.name} ended by itself (${code ?? signal}), and starts again.`);
    setTimeout(() => !isStopping && start(service), 1_000);
  });
  child.on('error', (error) => log(`${service.name} cannot be started: ${error.message}`));
}

async function stop(name, signal = 'SIGTERM') {
  const running = services.get(name);
  if (!running) return;
  running.isStopping = true;
  running.child.kill(signal);
  await running.ended;
}

/** First what takes requests, then what runs tasks, then what stores both. */
async function stopAll() {
  isStopping = true;
  log('Stops.');
  await stop('proxy', 'SIGQUIT');
  await Promise.all(['web-1', 'web-2', 'worker-1', 'worker-2'].map((name) => stop(name)));
  await Promise.all([stop('redis'), stop('postgres', 'SIGINT')]);
  process.exit(0);
}

async function startRedis() {
  start({
    name: 'redis',
    command: [
      ...[program('redis-server'), '--port', `${ports.redis}`, '--bind', '127.0.0.1', '--dir', state],
      ...['--appendonly', 'yes', '--maxmemory-policy', 'noeviction'],
    ],
  });
  await answers(ports.redis);
  return `redis://127.0.0.1:${ports.redis}`;
}

async function startPostgres() {
  const folder = join(state, 'postgres');
  mkdirSync(folder, { recursive: true });
  if (user.uid !== undefined) {
    chownSync(folder, user.uid, user.gid);
    // The other user has to come through.
    chmodSync(state, 0o711);
  }
  if (!existsSync(join(folder, 'PG_VERSION')))
    execFileSync(program('initdb'), ['-D', folder, '-U', 'shop', '--auth=trust'], {
      ...user,
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  const options = ['-h', '127.0.0.1', '-p', `${ports.postgres}`, '-k', folder];
  start({ name: 'postgres', command: [program('postgres'), '-D', folder, ...options], cwd: folder, ...user });
  await answers(ports.postgres);
  const url = `postgres://shop@127.0.0.1:${ports.postgres}/postgres`;
  // It listens a moment before it lets clients in.
  await until(() => isSuccessful(program('pg_isready'), ['-h', '127.0.0.1', '-p', `${ports.postgres}`]));
  return url;
}

/** nginx with the files of `deploy/nginx`, on the ports of this program. */
function proxy() {
  const folder = fileURLToPath(new URL('../nginx/', import.meta.url));
  const read = (name) => readFileSync(join(folder, name), 'utf8');
  const site = read('shop.conf').replace('listen 8080', `listen 127.0.0.1:${ports.proxy}`);
  const upstream = read('upstream.conf').replaceAll(
    /127\.0\.0\.1:300(\d)/g,
    (_, n) => `127.0.0.1:${ports.web + Number(n)}`,
  );
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${state};`);
  writeFileSync(
    join(state, 'nginx.conf'),
    `daemon off; pid ${state}/nginx.pid; error_log stderr; events {}\nhttp { access_log off; ${temporary.join(' ')}\n${upstream}\n${site}}\n`,
  );
  return { name: 'proxy', command: [program('nginx'), '-p', state, '-e', 'stderr', '-c', join(state, 'nginx.conf')] };
}

/** Debian keeps servers in folders that are not on everybody's PATH. */
function program(name) {
  const versions = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql').toReversed() : [];
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'];
  const found = [...folders, ...versions.map((version) => `/usr/lib/postgresql/${version}/bin`)]
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
  if (!found)
    throw new Error(`${name} is not installed. On Debian: apt-get install redis-server postgresql nginx-light`);
  return found;
}

function portsFrom(first) {
  return { proxy: first, redis: first + 1, postgres: first + 2, web: first + 2, worker: first + 4 };
}

async function isReady({ name, ready }) {
  const isOk = () =>
    fetch(ready).then(
      (answer) => answer.ok,
      () => false,
    );
  await until(isOk, `${name} is ready`);
}

async function answers(port) {
  await until(
    () =>
      new Promise((done) => {
        const socket = connect(port, '127.0.0.1');
        socket.once('connect', () => done(true)).once('error', () => done(false));
        socket.once('connect', () => socket.destroy());
      }),
    `port ${port} answers`,
  );
}

async function until(condition, what = 'it is done') {
  for (let attempt = 0; attempt < 600; attempt++) {
    if (await condition()) return;
    await pause(100);
  }
  throw new Error(`Not within a minute: ${what}.`);
}

function isSuccessful(file, args) {
  try {
    execFileSync(file, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function log(text) {
  console.log(`deploy: ${text}`);
}
