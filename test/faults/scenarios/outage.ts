import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { lockPostgresTables, makePostgresReadOnly, refuseRedisWrites, setForDatabase } from '../support/refusals.js';
import type { World } from '../support/world.js';
import type { TestProcess } from '../support/test-process.js';

export type Roles = 'one process' | 'web and worker';

type EndOutage = () => Promise<void> | void;

/** How a fault begins and ends. */
interface Outage {
  /** Called before the processes start. */
  prepare?(world: World): Promise<void>;
  /** Begins the outage. The returned function ends it. */
  begin(world: World): Promise<EndOutage> | EndOutage;
  /** Milliseconds from `begin` to `end`. */
  lasts: number;
  /** The server loses all stored tasks. */
  losesData?: boolean;
  /** No process can enqueue during the outage. */
  unreachable: boolean;
  /**
   * The server runs the commands that it received as soon as the outage ends: a call without an answer may succeed
   * later.
   */
  runsCommandsLater?: boolean;
  /** The processes of the server notice the outage one after the other, so the first calls may still be stored. */
  beginsGradually?: boolean;
}

const nothingToEnd = () => undefined;

const outages = {
  restart: {
    async begin({ server }) {
      await server.stop();
      return () => server.restart();
    },
    lasts: 2_500,
    unreachable: true,
  },
  emptied: {
    async begin({ server }) {
      await server.kill();
      return () => server.restart();
    },
    lasts: 2_500,
    losesData: true,
    unreachable: true,
  },
  cut: {
    async begin({ proxy }) {
      (await proxy).cut();
      return nothingToEnd;
    },
    lasts: 0,
    unreachable: false,
  },
  frozen: {
    async begin({ proxy }) {
      const opened = await proxy;
      opened.freeze();
      return () => opened.thaw();
    },
    lasts: 4_000,
    unreachable: true,
  },
  forgotten: {
    async begin({ proxy }) {
      (await proxy).forget();
      return nothingToEnd;
    },
    lasts: 0,
    unreachable: false,
  },
  stopped: {
    begin({ server }) {
      server.freeze();
      return () => server.thaw();
    },
    lasts: 4_000,
    unreachable: true,
    runsCommandsLater: true,
  },
  noReplicas: { begin: ({ server }) => refuseRedisWrites(server, 'NOREPLICAS'), lasts: 4_000, unreachable: true },
  outOfMemory: { begin: ({ server }) => refuseRedisWrites(server, 'OOM'), lasts: 4_000, unreachable: true },
  readOnly: {
    begin: ({ server }) => makePostgresReadOnly(server),
    lasts: 4_000,
    unreachable: true,
    beginsGradually: true,
  },
  locked: {
    prepare: ({ server }) => setForDatabase(server, { lock_timeout: '300ms' }),
    begin: ({ server, prefix }) => lockPostgresTables(server, prefix),
    lasts: 4_000,
    unreachable: true,
    // A call may get the lock after it was told to have failed.
    runsCommandsLater: true,
  },
  serializable: {
    prepare: ({ server }) => setForDatabase(server, { default_transaction_isolation: 'serializable' }),
    begin: () => nothingToEnd,
    lasts: 0,
    unreachable: false,
  },
} satisfies Record<string, Outage>;

export type OutageKind = keyof typeof outages;

/**
 * The server or the connection to it fails for a while: tasks wait, tasks run, and callers wait for results. Once the
 * server can be reached, everything goes on by itself.
 */
export async function outage(
  world: World,
  kind: OutageKind,
  roles: Roles,
  { within }: { within: number },
): Promise<void> {
  const { prepare, begin, lasts, unreachable, ...rest }: Outage = outages[kind];
  const losesData = rest.losesData ?? false;
  await prepare?.(world);
  const common = { connection: await world.proxied(), abandonedAfter: '8s' } as const;
  const web = await world.start({ ...common, role: roles === 'one process' ? 'both' : 'producer' });
  const worker = roles === 'one process' ? web : await world.start({ ...common, role: 'worker' });
  await world.finalStates(web, await world.enqueue(web, 'slow', [1], 20));

  const running = await world.enqueue(web, 'steps', [40, 50], 5);
  const waiting = await world.enqueue(web, 'slow', [5], 20);
  await world.started(running);
  const results = [...running, ...waiting].map((id) => web.ask.result(id));

  const end = await begin(world);
  // A call during the outage fails in time.
  const began = Date.now();
  if (unreachable) {
    const call = async () => {
      const answer = await web.ask.enqueue('slow', [1]);
      if (answer.id !== undefined) world.enqueued.push(answer.id);
      return answer;
    };
    let answer = await call();
    if (rest.beginsGradually) while (answer.id !== undefined) answer = await call();
    assert.equal(answer.error?.code, 'ENGINE_UNAVAILABLE');
    assert(answer.took < 2_500, `The call failed only after ${answer.took} ms.`);
    world.refused++;
  }
  // A plain pause: nothing happens that the test could wait for.
  await sleep(Math.max(began + lasts - Date.now(), 0));
  if (losesData)
    world.failedOnPurpose.push(...running, ...waiting.filter((id) => world.recorded('finished', id).length === 0));
  await end();

  // The workers take tasks again: new tasks run.
  const back = Date.now();
  const after: string[] = [];
  await world.until(
    async () => {
      after.push(...(await world.enqueue(web, 'slow', [5], 5)));
      return after.length > 0;
    },
    'tasks can be enqueued again',
    within,
  );
  await world.finished(after);
  const took = Date.now() - back;
  assert(took < within, `It took ${took} ms until tasks ran again.\n${worker.log.join('\n')}`);

  // The earlier callers get their results, and so do new callers.
  for (const answer of await Promise.all(results)) {
    assert(
      answer.result !== undefined || (losesData && answer.error?.code === 'TASK_NOT_FOUND'),
      JSON.stringify(answer),
    );
  }
  if (!losesData) await world.finished();
  await world.finalStates(web, after);
  const { unexpected, duplicated, refused } = world.counts();
  assert(
    unexpected <= (rest.runsCommandsLater ? refused : 0),
    `${unexpected} tasks ran although enqueueing them failed.`,
  );
  // The other outages are shorter than `abandonedAfter`, so no worker may lose a lock.
  if (kind !== 'forgotten') assert.equal(duplicated, 0);
  for (const process of new Set([web, worker])) assertShortLog(process);
}

/**
 * The connection is cut many times. At the end the process uses as much memory and as many handles as at the beginning.
 */
export async function repeatedCuts(world: World, times: number): Promise<void> {
  const connection = await world.proxied();
  const process = await world.start({ connection });
  const round = async () => {
    (await world.proxy).cut();
    const ids: string[] = [];
    await world.until(async () => {
      ids.push(...(await world.enqueue(process, 'slow', [1], 5)));
      return ids.length > 0;
    }, 'tasks can be enqueued again');
    await world.finished(ids);
    await world.finalStates(process, ids);
  };
  for (let warmUp = 0; warmUp < 3; warmUp++) await round();
  const before = await process.ask.usage();
  for (let time = 0; time < times; time++) await round();
  await world.until(
    async () => (await process.ask.usage()).open <= before.open + 2,
    'the process has closed what it opened',
  );
  const after = await process.ask.usage();
  const grown = (after.heap - before.heap) / 1024 / 1024;
  assert(grown < 5 + times / 10, `The heap has grown by ${grown.toFixed(1)} MB.`);
  assertShortLog(process, 2 * (times + 3));
}

/** The log has one line when the connection is lost, one when it works again, and a few lines about tasks. */
function assertShortLog(process: TestProcess, most = 6): void {
  const lines = process.lines.filter((line) => !line.includes('Running the queue'));
  assert(lines.length <= most, `There are ${lines.length} lines in the log:\n${lines.join('\n')}`);
  // No line comes from elsewhere: no warning of Node or of a driver, no stack.
  const others = process.log.filter((line) => !line.startsWith('[Nest]'));
  assert.deepEqual(others, []);
}
