import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { QueueKeys, RedisQueueBackend } from 'bullmq';
import type { Clock } from '../../../../../lib/engine/bullmq/clock.js';
import { passServerTime, TIMES_OF_SCRIPTS } from '../../../../../lib/engine/bullmq/redis/patched-redis-time.js';

const OWN = 1_600_000_000_000;
const SERVER = OWN + 86_400_000;
const job = { id: 'a', opts: {}, data: {}, name: 'a' } as never;

/** The arguments of every script that was run, by its name. */
const scripts = new Map<string, string[]>();
let backend: RedisQueueBackend;

beforeEach(() => {
  jest.spyOn(Date, 'now').mockReturnValue(OWN);
  scripts.clear();
  const client = {
    runCommand: async (name: string, args: unknown[]) => {
      scripts.set(name.split(':')[0] as string, args.map(String));
      return 0;
    },
    multi: () => ({ runCommand: client.runCommand, exec: async () => [] }),
  };
  const keys = new QueueKeys('p');
  const toKey = (type: string) => keys.toKey('q', type);
  const connection = { client: Promise.resolve(client) } as never;
  backend = passServerTime(
    new RedisQueueBackend(connection, 'q', keys.getKeys('q'), toKey, { prefix: 'p' } as never, undefined, false),
    { difference: SERVER - OWN } as Clock,
  );
});
afterEach(() => void jest.restoreAllMocks());

const calls: readonly (() => Promise<unknown>)[] = [
  () => backend.moveToActive('token'),
  () => backend.moveToCompleted(job, 1, false, 'token', true),
  () => backend.moveToFailed(job, 'x', false, 'token', true),
  () => backend.moveToDelayed('a', Date.now(), 1_000, 'token'),
  () => backend.moveToWaitingChildren('a', 'token', {}),
  () => backend.retryJob('a', false, 'token'),
  () => backend.moveStalledJobsToWait(),
  () => backend.changeDelay('a', 1_000),
  () => backend.forQueue('other').moveToActive('token'),
  () =>
    backend.addFlow([
      {
        queueName: 'q',
        prefix: 'p',
        jobData: { ...(job as object), timestamp: SERVER, parent: { id: 'b', queueKey: 'p:q' } },
        jobId: 'a',
        parentKeyOpts: { parentKey: 'p:q:b' },
      },
    ] as never),
];

it("the backend passes the server's time to every script that gets a time, and never its own", async () => {
  for (const call of calls) {
    await call().catch((error: Error) => {
      if (scripts.size === 0) throw error;
    });
  }
  expect([...scripts.keys()]).toEqual(expect.arrayContaining(Object.keys(TIMES_OF_SCRIPTS)));
  for (const [name, indexes] of Object.entries(TIMES_OF_SCRIPTS)) {
    const args = scripts.get(name) as string[];
    for (const index of indexes) expect([name, args[index]]).toEqual([name, `${SERVER}`]);
  }
  const withOwnTime = [...scripts].filter(([, args]) => args.some((arg) => arg.includes(`${OWN}`)));
  expect(withOwnTime).toEqual([]);
});
