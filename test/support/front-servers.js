import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createManagedProcess } from './managed-process.js';
import { findProgram } from './programs.js';
import { freePort, startServer, unprivilegedUser } from './servers.js';

/** @typedef {import('./servers.js').Server} Server */

/**
 * Starts a PgBouncer in front of a PostgreSQL. Its `url` leads to the database `postgres`.
 *
 * @param {Server} server
 * @param {object} options
 * @param {'session' | 'transaction'} options.mode
 * @param {number} [options.poolSize] connections to the server. Default 20, as by PgBouncer's default
 * @param {string} [options.settings] more lines of its configuration
 * @returns {Promise<Server>}
 */
export async function startPgBouncer(server, { mode, poolSize = 20, settings = '' }) {
  const command = findProgram('pgbouncer');
  const managed = await createManagedProcess(unprivilegedUser());
  const port = await freePort();
  writeFileSync(join(managed.folder, 'users'), '"postgres" ""\n');
  writeFileSync(
    join(managed.folder, 'pgbouncer.ini'),
    `[databases]
* = host=127.0.0.1 port=${server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = users
pool_mode = ${mode}
default_pool_size = ${poolSize}
${settings}
`,
  );
  const pooler = await startServer(managed, {
    command,
    args: ['pgbouncer.ini'],
    readyText: 'process up',
    port,
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
  });
  // In an orderly stop, PgBouncer waits for its clients.
  return Object.assign(pooler, { close: () => pooler.kill().then(managed.close) });
}

/**
 * Starts a Redis Sentinel that watches a primary under the name `primary`.
 *
 * @param {number} primary the port of the primary
 * @param {{ quorum: number, downAfter?: number }} options `downAfter`: milliseconds without an answer after which the
 *   primary counts as down. Default 5,000: less may be too little on a busy machine
 * @returns {Promise<Server>}
 */
export async function startSentinel(primary, { quorum, downAfter = 5_000 }) {
  const managed = await createManagedProcess();
  const port = await freePort();
  writeFileSync(
    join(managed.folder, 'sentinel.conf'),
    `port ${port}
bind 127.0.0.1
dir ${managed.folder}
sentinel monitor primary 127.0.0.1 ${primary} ${quorum}
sentinel down-after-milliseconds primary ${downAfter}
sentinel failover-timeout primary 10000
`,
  );
  return startServer(managed, {
    command: findProgram('redis'),
    args: ['sentinel.conf', '--sentinel'],
    readyText: '+monitor master',
    port,
    url: `redis://127.0.0.1:${port}`,
  });
}
