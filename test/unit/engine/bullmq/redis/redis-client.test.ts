import { describe, expect, it } from '@jest/globals';
import { isOutage, OUTAGE } from '../../../../../lib/engine/bullmq/redis/redis-client.js';

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
