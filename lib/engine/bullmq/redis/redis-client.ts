import type { Cluster, Redis } from 'ioredis';
import { ConfigurationError } from '../../../errors.js';

export type RedisClient = Redis | Cluster;

/** What every client of ours does differently from ioredis' defaults. */
const CLIENT_OPTIONS = {
  connectTimeout: 5_000,
  // Quick and for ever: a server that restarts is back within a second, and nobody watches a worker to restart it.
  retryStrategy: (times: number) => Math.min(times * 100, 1_000),
  // After a failover the old primary takes no writes any more: the new one is found by connecting again.
  reconnectOnError: ({ message }: Error) => (message.startsWith('READONLY') ? 1 : false),
  // Whatever the application's own has: see cutWhenSilent.
  socketTimeout: undefined,
} as const;

/**
 * For what somebody waits on: a command fails at once while there is no connection, instead of being sent whenever there
 * is one again, long after its caller was told that it failed.
 */
export const COMMAND_OPTIONS = {
  ...CLIENT_OPTIONS,
  lazyConnect: true,
  maxRetriesPerRequest: 0,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
} as const;

/** For BullMQ's workers, which try for ever. */
export const WORKER_OPTIONS = {
  ...CLIENT_OPTIONS,
  // The command is sent again to the server that is found then.
  reconnectOnError: ({ message }: Error) => (message.startsWith('READONLY') ? 2 : false),
  maxRetriesPerRequest: null,
  enableOfflineQueue: true,
  autoResendUnfulfilledCommands: true,
} as const;

/** Milliseconds after which a connection that is open and silent is as good as cut. */
export const COMMANDS_SILENT = 10_000;
/** More than the 5 s that a worker waits at most for a job. */
export const WORKERS_SILENT = 7_000;

export function isUsable(client: RedisClient): boolean {
  // A cluster says `connect` where a single server says `ready`, too.
  return client.status === 'ready' || ('nodes' in client && client.status === 'connect');
}

/**
 * The next time the client succeeds or fails to connect: it tries for ever by itself, once it has begun.
 *
 * @throws what was wrong with the connection, rather than that it is closed now
 */
export function nextAttempt(client: RedisClient): Promise<void> {
  return new Promise((resolve, reject) => {
    let reason: Error | undefined;
    const onError = (error: Error) => (reason ??= error);
    const onReady = () => settle(resolve);
    const onClose = () => settle(() => reject(reason ?? new Error('Connection is closed.')));
    const settle = (end: () => void) => {
      client.off('error', onError).off('ready', onReady).off('close', onClose).off('end', onClose);
      end();
    };
    client.on('error', onError).on('ready', onReady).on('close', onClose).on('end', onClose);
    if (client.status === 'wait' || client.status === 'end')
      client.connect().catch((error: Error) => (reason ??= error));
  });
}

/** Closes a client for good, whatever it is doing. Who still waits for a command is answered. */
export function endClient(client: RedisClient): void {
  client.on('error', ignore);
  endWaiting(client);
  // Rather than `quit`: nothing is under way any more, and the server may be gone.
  client.disconnect();
}

/**
 * Between two attempts to connect a client cannot be closed: ioredis then forgets the next attempt, and never says that
 * it ended. So the attempt is begun now.
 */
export function endWaiting(client: { readonly status: string; connect(): Promise<unknown> }): void {
  if (client.status === 'reconnecting') client.connect().catch(ignore);
}

const OUTAGE =
  /ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENOENT|Connection is closed|ConnectionClosedError|isn't writeable|MaxRetriesPerRequestError|Socket timeout|connect timed out|Command timed out|Command aborted|LOADING|READONLY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|UNBLOCKED|ClusterAllFailedError|None of startup nodes|Failed to refresh slots cache|All sentinels are unreachable/i;

export function isOutage(error: unknown): boolean {
  // Not by its class: under Jest what comes from Node's core is of another.
  const { name = '', code = '', message = '' } = error as { name?: string; code?: string; message?: string };
  return OUTAGE.test(`${name} ${code} ${message}`);
}

const REFUSED =
  /WRONGPASS|NOAUTH|NOPERM|invalid password|invalid username|without any password|DB index is out of range|Protocol error|Unknown RESP type|certificate|SSL routines/i;

/** The cure for what trying again cannot heal. */
export function asConfigurationError(error: unknown, address: string): ConfigurationError | undefined {
  const { message = String(error), lastNodeError } = error as { message?: string; lastNodeError?: Error };
  const reason = [message, lastNodeError?.message].find((text) => text !== undefined && REFUSED.test(text));
  if (reason === undefined) return undefined;
  return new ConfigurationError(`${address} refuses the connection: ${reason}. ${cureOf(reason)}`, { cause: error });
}

function cureOf(reason: string): string {
  const where = 'in TASK_QUEUE_URL or the option connection';
  if (/Protocol error|RESP type/i.test(reason)) return `What answers there is no Redis: check host and port ${where}.`;
  if (/certificate/i.test(reason)) {
    return 'Give the certificate to trust: connection: { host, port, tls: { ca: readFileSync("ca.pem") } }.';
  }
  if (/SSL routines/i.test(reason))
    return `Check the scheme ${where}: redis:// for a server without TLS, rediss:// for one with it.`;
  if (/DB index/i.test(reason)) return `Check the number at the end of the URL ${where}.`;
  return `Check user and password ${where}: redis://user:password@host:6379.`;
}

export function ignore(): void {}
