import type { Redis } from 'ioredis';
import { ConfigurationError } from '../../../errors.js';
import { bareError } from '../../bare-error.js';
import type { RedisClient } from './client-options.js';

/** Whether commands can be sent on the client. ioredis calls a client ready, too, while its connection is being closed. */
export function isUsable(client: RedisClient): boolean {
  return client.status === 'ready' && !isClosing(client);
}

/** Whether ioredis has ended the connection, for example because the server is a replica now, and will open another one. */
function isClosing(client: RedisClient): boolean {
  // A cluster has a connection for each node.
  return !('nodes' in client) && client.status === 'ready' && !client.stream.writable;
}

/**
 * Resolves when the client's next attempt to connect succeeds. It starts an attempt only when ioredis makes none by
 * itself: after its first attempt, ioredis tries for ever.
 *
 * @throws the error that made the attempt fail, rather than the following error "Connection is closed."
 */
export function nextAttempt(client: RedisClient): Promise<void> {
  return new Promise((resolve, reject) => {
    let reason: Error | undefined;
    const onError = (error: Error) => {
      reason ??= error;
      // ioredis goes on asking the sentinels by itself, without an event that ends this attempt.
      if (error.message.startsWith('All sentinels are unreachable')) onEnd();
    };
    const onReady = () => settle(resolve);
    const onEnd = () => settle(() => reject(reason ?? new Error('Connection is closed.')));
    let isOfLastConnection = isClosing(client);
    const onClose = () => {
      if (!isOfLastConnection) onEnd();
      isOfLastConnection = false;
    };
    const settle = (end: () => void) => {
      client.off('error', onError).off('ready', onReady).off('close', onClose).off('end', onEnd);
      end();
    };
    client.on('error', onError).on('ready', onReady).on('close', onClose).on('end', onEnd);
    if (client.status === 'wait' || client.status === 'end')
      client.connect().catch((error: Error) => (reason ??= error));
  });
}

/** Closes a client for good, whatever its status. Commands that still wait are rejected. */
export function endClient(client: RedisClient): void {
  client.on('error', ignore);
  endWaiting(client);
  // Not `quit`, which would wait for a server that may be gone. No command has to be finished any more.
  client.disconnect();
}

/**
 * Starts the client's next attempt to connect at once. Between two attempts ioredis cannot close a client: `disconnect`
 * cancels the next attempt, and the client then never emits `end`.
 */
export function endWaiting(client: { readonly status: string; connect(): Promise<unknown> }): void {
  if (client.status === 'reconnecting') client.connect().catch(ignore);
}

/** Matches the name, code or message of an error that another attempt may heal. */
export const OUTAGE = new RegExp(
  [
    // Node: the server refuses connections or drops them, or the connection breaks.
    'ECONNREFUSED',
    'ECONNRESET',
    'ECONNABORTED',
    'EPIPE',
    'ETIMEDOUT',
    // Node: the host, the network or the socket of the server cannot be found.
    'ENOTFOUND',
    'EAI_AGAIN',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'ENOENT',
    // ioredis and BullMQ: there is no connection.
    'Connection is closed',
    'ConnectionClosedError',
    "isn't writeable",
    'MaxRetriesPerRequestError',
    // ioredis and the silence watchdog: the server does not answer.
    'Socket timeout',
    'connect timed out',
    'Command timed out',
    // ioredis: the connection closed before the answer to a command came.
    'Command aborted',
    // Redis: the server starts, or it is not the primary (any more).
    'LOADING',
    'READONLY',
    // Redis: the cluster or the primary is down, slots move, or a failover ended a blocking command.
    'CLUSTERDOWN',
    'MASTERDOWN',
    'TRYAGAIN',
    'UNBLOCKED',
    // Redis answers and refuses writes: no replica, no disk, no memory, a script that runs too long, an aborted transaction.
    'NOREPLICAS',
    'MISCONF',
    'OOM command not allowed',
    'BUSY Redis',
    'UNKILLABLE',
    'EXECABORT',
    'IOERR',
    'out of memory',
    // Redis, and services that offer it: too many connections or commands.
    'max number of clients',
    'limit exceeded',
    // ioredis: no node of the cluster and no sentinel can be reached.
    'ClusterAllFailedError',
    'None of startup nodes',
    'Failed to refresh slots cache',
    'Too many Cluster redirections',
    "Cluster isn't ready",
    'Cluster is ended',
    'No subscriber for the cluster',
    'All sentinels are unreachable',
  ].join('|'),
  'i',
);

/** Whether an error means that the server cannot be reached, so that another attempt may help. */
export function isOutage(error: unknown): boolean {
  // The error is recognised by its text: under Jest, `instanceof` does not recognise errors from Node's core.
  const { name = '', code = '', message = '' } = error as { name?: string; code?: string; message?: string };
  return OUTAGE.test(`${name} ${code} ${message}`);
}

/**
 * The error with its cure, when a single client has connected to a node of a cluster: the keys are on another node, or on several. A
 * cluster's own client follows MOVED by itself.
 */
export function asNodeOfCluster(error: unknown, address: string): ConfigurationError | undefined {
  if (!/^(MOVED|CROSSSLOT) /.test((error as Error).message)) return undefined;
  return new ConfigurationError(
    `${address} is a node of a Redis Cluster. Give the cluster: the URL redis+cluster://host:port, or connection: { nodes: [{ host, port }] }, ` +
      "and a prefix that is a hash tag: prefix: '{tasks}'.",
    { cause: bareError(error) },
  );
}

/** Whether commands wait for answers of the server. */
export function owesAnswer({ commandQueue }: Redis): boolean {
  return commandQueue.length > 0;
}

/**
 * The connection of a cluster to the node that keeps a key, for commands that name no key. For any other client the client itself.
 *
 * @throws Error when no node is known to keep the key
 */
export async function nodeOf(client: RedisClient, key: string): Promise<Redis> {
  if (!('nodes' in client)) return client;
  const slot = await client.cluster('KEYSLOT', key);
  const [address] = client.slots[slot] ?? [];
  const node = client.nodes('master').find(({ options: { host, port } }) => `${host}:${port}` === address);
  if (!node) throw new Error('Connection is closed. The node of the cluster that keeps the queues cannot be reached.');
  return node;
}

/** Matches the message of an error that another attempt cannot heal. */
const REFUSED =
  /WRONGPASS|NOAUTH|NOPERM|invalid password|invalid username|without any password|DB index is out of range|Protocol error|Unknown RESP type|certificate|SSL routines/i;

/** The error with its cure, when another attempt cannot heal it; `undefined` for any other error. */
export function asConfigurationError(error: unknown, address: string): ConfigurationError | undefined {
  const { message = String(error), lastNodeError } = error as { message?: string; lastNodeError?: Error };
  const reason = [message, lastNodeError?.message].find((text) => text !== undefined && REFUSED.test(text));
  if (reason === undefined) return undefined;
  return new ConfigurationError(`${address} refuses the connection: ${reason}. ${cureOf(reason)}`, {
    cause: bareError(error),
  });
}

function cureOf(reason: string): string {
  const where = 'in TASK_QUEUE_URL or the option connection';
  if (/Protocol error|RESP type/i.test(reason))
    return `The server at this address is not Redis: check host and port ${where}.`;
  if (/certificate/i.test(reason)) {
    return 'Give the certificate to trust: connection: { host, port, tls: { ca: readFileSync("ca.pem") } }.';
  }
  if (/SSL routines/i.test(reason))
    return `Check the scheme ${where}: redis:// for a server without TLS, rediss:// for one with it.`;
  if (/DB index/i.test(reason)) return `Check the number at the end of the URL ${where}.`;
  return `Check user and password ${where}: redis://user:password@host:6379.`;
}

export function ignore(): void {}
