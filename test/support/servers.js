import { execFileSync } from 'node:child_process';
import { randomInt, randomUUID } from 'node:crypto';
import { chownSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { createManagedProcess } from './managed-process.js';
import { signalFamily } from './processes.js';
import { findProgram } from './programs.js';

/**
 * @typedef {object} ServerOptions
 * @property {boolean} [durable] acknowledged writes survive `kill()`. Default false, which is much faster
 * @property {string} [password] the password that clients must send. Default: none
 * @property {boolean} [tls] the server speaks TLS with a self-signed certificate, see `ca`. Default false
 */

/**
 * A server that only one test uses: on 127.0.0.1, on a random port, in a temporary folder. It runs until `close()`, or
 * until the process that started it ends.
 *
 * @typedef {object} Server
 * @property {string} url
 * @property {number} port
 * @property {number} pid `restart()` changes it
 * @property {string} folder
 * @property {string | undefined} ca the certificate to trust, with `tls`
 * @property {() => Promise<void>} stop stops the server in an orderly way; the data stays
 * @property {() => Promise<void>} kill stops the server by SIGKILL, as a power cut does; only durable data stays
 * @property {() => Promise<void>} restart stops the server if it runs, and starts it on the same port with the same
 *   data
 * @property {() => void} freeze connections stay open and the server answers nothing, as in a network partition
 * @property {() => void} thaw ends `freeze`
 * @property {() => Promise<void>} close stops the server and removes its folder; safe to call twice
 */

/**
 * Starts a Redis (or Valkey).
 *
 * @param {ServerOptions & { cluster?: boolean, replicaOf?: Server }} [options] `cluster`: a cluster of one node;
 *   `replicaOf`: its primary
 * @returns {Promise<Server>}
 */
export async function startRedis({ durable = false, password, tls = false, cluster = false, replicaOf } = {}) {
  const command = findProgram('redis');
  const managed = await createManagedProcess();
  const [port, bus] = /** @type {[number, number]} */ (await freePorts(2));
  const ca = tls ? makeCertificate(managed.folder) : undefined;
  const server = await startServer(managed, {
    command,
    args: [
      ...['--bind', '127.0.0.1', '--dir', managed.folder],
      ...(tls ? ['--port', '0', '--tls-port', `${port}`, '--tls-auth-clients', 'no'] : ['--port', `${port}`]),
      ...(tls ? ['--tls-cert-file', 'tls.crt', '--tls-key-file', 'tls.key', '--tls-ca-cert-file', 'tls.crt'] : []),
      // The save point of one day is never reached. But with a save point, an orderly stop writes the data to the disk.
      ...(durable ? ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always'] : ['--save', '86400 1']),
      ...(password ? ['--requirepass', password] : []),
      ...(replicaOf ? ['--replicaof', '127.0.0.1', `${replicaOf.port}`] : []),
      // A replica that connects gets the data at once, and not after five seconds.
      ...['--repl-diskless-sync-delay', '0'],
      // By itself, Redis adds 10,000 to its port for the bus, and a connection of another process may have that port.
      ...(cluster
        ? ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1', '--cluster-port', `${bus}`]
        : []),
    ],
    readyText: 'Ready to accept connections',
    port,
    url: `${tls ? 'rediss' : 'redis'}://${password ? `:${encodeURIComponent(password)}@` : ''}127.0.0.1:${port}`,
    ca,
  });
  if (cluster) await ownEverySlot(server);
  return server;
}

/**
 * Starts a PostgreSQL with the superuser `postgres`.
 *
 * @param {ServerOptions & { replicaOf?: Server }} [options] `replicaOf`: its primary, without a password
 * @returns {Promise<Server>}
 */
export async function startPostgres({ durable = false, password, tls = false, replicaOf } = {}) {
  const command = findProgram('postgres');
  const managed = await createManagedProcess(unprivilegedUser());
  const port = await freePort();
  const ca = tls ? makeCertificate(managed.folder, managed.user) : undefined;
  if (password) writeFileSync(join(managed.folder, 'password'), password);
  if (replicaOf) {
    await managed.run(findProgram('pg_basebackup'), [
      ...['-D', 'data', '-d', replicaOf.url, '--write-recovery-conf', '--checkpoint=fast', '--no-sync'],
    ]);
  } else {
    await managed.run(findProgram('initdb'), [
      ...['-D', 'data', '-U', 'postgres', '--encoding=UTF8', '--no-locale', '--no-sync'],
      ...(password ? ['--auth=scram-sha-256', '--pwfile=password'] : ['--auth=trust']),
    ]);
  }
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: 200,
    ...(tls && { ssl: 'on', ssl_cert_file: '../tls.crt', ssl_key_file: '../tls.key' }),
    ...(!durable && { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  };
  return startServer(managed, {
    command,
    args: ['-D', 'data', ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    // A replica accepts "read-only connections".
    readyText: 'database system is ready to accept',
    port,
    url: `postgres://postgres${password ? `:${encodeURIComponent(password)}` : ''}@127.0.0.1:${port}/postgres`,
    ca,
  });
}

/**
 * Starts a MariaDB with the superuser `root`, without a password, and the database `test`.
 *
 * @returns {Promise<Server>}
 */
export async function startMariadb() {
  const command = findProgram('mariadb');
  const managed = await createManagedProcess(unprivilegedUser());
  const port = await freePort();
  await managed.run(findProgram('mariadb-install-db'), [
    ...['--no-defaults', `--datadir=${join(managed.folder, 'data')}`, '--auth-root-authentication-method=normal'],
    ...['--skip-test-db', '--skip-name-resolve'],
  ]);
  const folder = join(managed.folder, 'data');
  const server = await startServer(managed, {
    command,
    args: [
      ...['--no-defaults', `--datadir=${folder}`, `--port=${port}`, '--bind-address=127.0.0.1'],
      ...[`--socket=${join(managed.folder, 'socket')}`, '--skip-name-resolve', '--innodb-flush-log-at-trx-commit=0'],
      // With it, SIGINT stops the server.
      '--debug-gdb',
    ],
    readyText: 'ready for connections',
    port,
    url: `mysql://root@127.0.0.1:${port}/test`,
  });
  const connection = await mysql.createConnection(server.url.replace(/test$/, ''));
  await connection.query('CREATE DATABASE test');
  await connection.end();
  return server;
}

/**
 * Creates an empty database for one suite.
 *
 * @param {string} adminUrl of a role that may create databases
 */
export async function createDatabase(adminUrl) {
  const name = freePrefix();
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  await query(adminUrl, `CREATE DATABASE ${name}`);
  return { url: url.href, drop: () => query(adminUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}

/** A new name for a Redis prefix, a schema or a database. */
export function freePrefix() {
  return `test_${randomUUID().replaceAll('-', '').slice(0, 16)}`;
}

/**
 * @param {string} url
 * @param {string} sql
 */
async function query(url, sql) {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/**
 * The user that runs PostgreSQL and PgBouncer when the tests run as root, because they refuse to run as root.
 *
 * @returns {import('./managed-process.js').User | undefined}
 */
export function unprivilegedUser() {
  if (process.getuid?.() !== 0) return undefined;
  const id = (/** @type {string} */ flag, /** @type {string} */ name) =>
    Number(execFileSync('id', [flag, name], { stdio: ['ignore', 'pipe', 'ignore'] }));
  for (const name of ['postgres', 'nobody']) {
    try {
      return { uid: id('-u', name), gid: id('-g', name) };
    } catch {
      // There is no such user. Try the next name.
    }
  }
  throw new Error(
    'PostgreSQL and PgBouncer do not run as root, and there is no user "postgres" or "nobody" to run it as.',
  );
}

/**
 * A free port outside the range from which systems take the local ports of outgoing connections. No connection can take
 * the port while a test has its server stopped.
 */
export async function freePort() {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    if (await isFree(port)) return port;
  }
}

/**
 * Free ports one after the other, from the same range.
 *
 * @param {number} count
 */
export async function freePorts(count) {
  for (;;) {
    const first = await freePort();
    const ports = Array.from({ length: count }, (_, index) => first + index);
    const free = await Promise.all(ports.map(isFree));
    if (free.every(Boolean)) return ports;
  }
}

/** @param {number} port */
function isFree(port) {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

/**
 * Writes `tls.crt` and `tls.key`.
 *
 * @param {string} folder
 * @param {import('./managed-process.js').User} [owner]
 */
function makeCertificate(folder, owner) {
  execFileSync(
    findProgram('openssl'),
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'],
      ...['-keyout', 'tls.key', '-out', 'tls.crt'],
    ],
    { cwd: folder, stdio: 'ignore' },
  );
  if (owner) for (const name of ['tls.crt', 'tls.key']) chownSync(join(folder, name), owner.uid, owner.gid);
  return readFileSync(join(folder, 'tls.crt'), 'utf8');
}

/** @param {Server} server */
async function ownEverySlot({ url, ca }) {
  const client = new Redis(url, ca ? { tls: { ca } } : {});
  await client.cluster('ADDSLOTS', ...Array.from({ length: 16_384 }, (_, slot) => slot));
  client.disconnect();
}

/**
 * @param {import('./managed-process.js').ManagedProcess} managed
 * @param {object} program
 * @param {string} program.command
 * @param {string[]} program.args
 * @param {string} program.readyText
 * @param {number} program.port
 * @param {string} program.url
 * @param {string} [program.ca]
 * @returns {Promise<Server>}
 */
export async function startServer(managed, { command, args, readyText, port, url, ca }) {
  /** @type {{ pid: number, ended: Promise<void> } | undefined} */
  let running;
  let pid = 0;

  async function start() {
    const program = await managed.start(command, args, readyText);
    running = program;
    ({ pid } = program);
    void program.ended.then(() => (running = undefined));
  }

  /** @param {() => void} signal */
  async function end(signal) {
    if (!running) return;
    const { ended } = running;
    signal();
    managed.keepAlive(true);
    await ended;
    managed.keepAlive(false);
  }

  const thaw = () => signalFamily(pid, 'SIGCONT');
  const stop = () =>
    end(() => {
      thaw();
      // SIGINT stops both servers in an orderly way without waiting for clients. PostgreSQL waits for them on SIGTERM.
      process.kill(pid, 'SIGINT');
    });

  await start();
  return {
    url,
    port,
    ca,
    folder: managed.folder,
    get pid() {
      return pid;
    },
    stop,
    kill: () => end(() => signalFamily(pid, 'SIGKILL')),
    async restart() {
      await stop();
      await start();
    },
    freeze: () => signalFamily(pid, 'SIGSTOP'),
    thaw,
    close: managed.close,
  };
}
