import { describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { EventEmitter } from 'node:events';
import { isOutage, isUsable, nextAttempt, OUTAGE } from '../../../../../lib/engine/bullmq/redis/redis-client.js';

/** The alternatives, in their order: an error that matches none of them is thrown instead of being tried again. */
const ALTERNATIVES =
  "ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENOENT|Connection is closed|ConnectionClosedError|isn't writeable|MaxRetriesPerRequestError|Socket timeout|connect timed out|Command timed out|Command aborted|LOADING|READONLY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|UNBLOCKED|NOREPLICAS|MISCONF|OOM command not allowed|BUSY Redis|UNKILLABLE|EXECABORT|IOERR|out of memory|max number of clients|limit exceeded|ClusterAllFailedError|None of startup nodes|Failed to refresh slots cache|Too many Cluster redirections|Cluster isn't ready|Cluster is ended|No subscriber for the cluster|All sentinels are unreachable";

describe('isOutage', () => {
  it('the expression consists of the listed alternatives and ignores case', () => {
    expect(OUTAGE.source).toBe(ALTERNATIVES);
    expect(OUTAGE.flags).toBe('i');
  });

  it.each(ALTERNATIVES.split('|'))('an error with "%s" in its name, code or message is an outage', (text) => {
    expect(isOutage({ name: text })).toBe(true);
    expect(isOutage({ code: text })).toBe(true);
    expect(isOutage(new Error(`before ${text.toLowerCase()} after`))).toBe(true);
  });

  it.each([
    'WRONGTYPE Operation against a key',
    'BUSYGROUP Consumer Group name already exists',
    'NOSCRIPT No matching script',
  ])('the answer "%s" is not an outage', (message) => {
    expect(isOutage(new Error(message))).toBe(false);
  });
});

describe('a client whose connection is being closed', () => {
  const closing = () =>
    Object.assign(new EventEmitter(), { status: 'ready', stream: { writable: false } }) as unknown as Redis &
      EventEmitter;

  it('is not usable, although ioredis calls it ready', () => {
    const client = closing();
    expect(isUsable(client)).toBe(false);
    Object.assign(client.stream, { writable: true });
    expect(isUsable(client)).toBe(true);
  });

  it('is awaited until its next connection is ready', async () => {
    const client = closing();
    const attempt = nextAttempt(client);
    client.emit('close');
    client.emit('ready');
    await expect(attempt).resolves.toBeUndefined();
    expect(client.eventNames()).toEqual([]);
  });

  it.each(['close', 'end'])('is given up at the event "%s" of its next connection', async (event) => {
    const client = closing();
    const attempt = nextAttempt(client);
    client.emit('close');
    client.emit('error', new Error('connect ECONNREFUSED'));
    client.emit(event);
    await expect(attempt).rejects.toThrow('ECONNREFUSED');
  });
});
