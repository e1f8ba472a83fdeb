import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { PostgresConnection, PostgresQueueBackend, type PgPool } from 'bullmq';
import type { Clock } from '../../../../../lib/engine/bullmq/clock.js';
import { passServerTime, TIMES_OF_FUNCTIONS } from '../../../../../lib/engine/bullmq/postgres/patched-postgres-time.js';

const OWN = 1_600_000_000_000;
const SERVER = OWN + 86_400_000;
const job = { id: 'a', opts: {}, data: {}, name: 'a' } as never;
const noFetch = [job, 'x', false, 'token', false] as const;
const fetch = [job, 'x', false, 'token', true] as const;

class ReadyConnection extends PostgresConnection {
  override async waitUntilReady(): Promise<void> {}
}

/** The parameters of every query. */
const queries: unknown[][] = [];
/** The commands behind them, by name. */
const commands = new Map<string, readonly unknown[]>();
let backend: PostgresQueueBackend;

beforeEach(() => {
  jest.spyOn(Date, 'now').mockReturnValue(OWN);
  queries.length = 0;
  commands.clear();
  const pool = {
    query: async (_text: string, params: unknown[] = []) => {
      queries.push(params);
      return { rows: [{ n: 0, ttl: 0, code: 0 }], rowCount: 1 };
    },
    connect: async () => undefined,
    end: async () => undefined,
    on: () => pool,
  } as unknown as PgPool;
  backend = new PostgresQueueBackend(new ReadyConnection(pool), 'q', {
    connection: pool,
    metrics: { maxDataPoints: 10 },
  } as never);
  const bare = backend as unknown as { run(command: string, params: readonly unknown[]): Promise<unknown> };
  const run = bare.run.bind(backend);
  bare.run = (command, params) => {
    commands.set(command, params);
    return run(command, params);
  };
  passServerTime(backend, { difference: SERVER - OWN } as Clock);
});
afterEach(() => void jest.restoreAllMocks());

const calls: readonly (() => Promise<unknown>)[] = [
  () => backend.moveToActive('token'),
  () => backend.moveToCompleted(...noFetch),
  () => backend.moveToCompleted(...fetch),
  () => backend.moveToFailed(...noFetch),
  () => backend.moveToFailed(...fetch),
  () => backend.moveToDelayed('a', Date.now(), 0, 'token', {}),
  () => backend.moveJobFromActiveToWait('a', 'token'),
  () => backend.moveStalledJobsToWait(),
  () => backend.extendLock('a', 'token', 1_000),
  () => backend.extendLocks(['a'], ['token'], 1_000),
  () => backend.changeDelay('a', 1_000),
  () => backend.removeChildDependency('a', 'b'),
  () => backend.removeDeduplicationKey('k', 'a'),
  () => backend.getDeduplicationJobId('k'),
  () => backend.getRateLimitTtl(1),
  () => backend.setRateLimit(1_000),
];

it("the backend passes the server's time to every function that gets a time, and never its own", async () => {
  for (const call of calls) {
    const before = queries.length;
    await call().catch((error: Error) => {
      if (queries.length === before) throw error;
    });
  }
  // This one is called only when no job waits.
  await (backend as unknown as { run(...args: unknown[]): Promise<unknown> }).run('next_signal', ['q', 1, Date.now()]);
  expect([...commands.keys()]).toEqual(expect.arrayContaining(Object.keys(TIMES_OF_FUNCTIONS)));
  for (const [name, indexes] of Object.entries(TIMES_OF_FUNCTIONS)) {
    for (const index of indexes) expect([name, commands.get(name)?.[index]]).toEqual([name, SERVER]);
  }
  expect(queries.filter((params) => params.includes(OWN))).toEqual([]);
});

it('a backend of another queue does so too', async () => {
  await backend
    .forQueue('other')
    .moveToActive('token')
    .catch(() => undefined);
  expect(queries[0]).toContain(SERVER);
});
