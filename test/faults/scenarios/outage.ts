import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { World } from '../support/world.js';
import type { TestProcess } from '../support/test-process.js';

export type Roles = 'one process' | 'web and worker';

/** What breaks, and what mends it. */
interface Outage {
  begin(world: World): Promise<void> | void;
  end(world: World): Promise<void> | void;
  /** Milliseconds from the one to the other. */
  lasts: number;
  /** What was stored before is gone. */
  losesData?: boolean;
  /** Nobody can enqueue meanwhile. */
  unreachable: boolean;
  /** What was sent to it is carried out later: nobody can know whether a call succeeded that got no answer. */
  hears?: boolean;
}

const outages = {
  restart: {
    begin: ({ server }) => server.stop(),
    end: ({ server }) => server.restart(),
    lasts: 2_500,
    unreachable: true,
  },
  emptied: {
    begin: ({ server }) => server.kill(),
    end: ({ server }) => server.restart(),
    lasts: 2_500,
    losesData: true,
    unreachable: true,
  },
  cut: { begin: async ({ proxy }) => (await proxy).cut(), end: () => undefined, lasts: 0, unreachable: false },
  frozen: {
    begin: async ({ proxy }) => (await proxy).freeze(),
    end: async ({ proxy }) => (await proxy).thaw(),
    lasts: 4_000,
    unreachable: true,
  },
  forgotten: { begin: async ({ proxy }) => (await proxy).forget(), end: () => undefined, lasts: 0, unreachable: false },
  stopped: {
    begin: ({ server }) => server.freeze(),
    end: ({ server }) => server.thaw(),
    lasts: 4_000,
    unreachable: true,
    hears: true,
  },
} satisfies Record<string, Outage>;

export type OutageKind = keyof typeof outages;

/**
 * The server or the way to it is lost for a while, with tasks waiting, tasks running and people waiting for them. Once it
 * is back everything goes on by itself.
 */
export async function outage(
  world: World,
  kind: OutageKind,
  roles: Roles,
  { within }: { within: number },
): Promise<void> {
  const { begin, end, lasts, unreachable, ...rest }: Outage = outages[kind];
  const losesData = rest.losesData ?? false;
  const common = { connection: await world.proxied(), abandonedAfter: '8s' } as const;
  const web = await world.start({ ...common, role: roles === 'one process' ? 'both' : 'producer' });
  const worker = roles === 'one process' ? web : await world.start({ ...common, role: 'worker' });
  await world.finalStates(web, await world.enqueue(web, 'slow', [1], 20));

  const running = await world.enqueue(web, 'steps', [40, 50], 5);
  const waiting = await world.enqueue(web, 'slow', [5], 20);
  await world.started(running);
  const results = [...running, ...waiting].map((id) => web.ask.result(id));

  await begin(world);
  // Also to show that nothing is answered meanwhile.
  const began = Date.now();
  if (unreachable) {
    const answer = await web.ask.enqueue('slow', [1]);
    assert.equal(answer.error?.code, 'ENGINE_UNAVAILABLE');
    assert(answer.took < 2_500, `It took ${answer.took} ms to be told.`);
    world.refused++;
  }
  // As long as the outage is to last: there is nothing to wait for.
  await sleep(Math.max(began + lasts - Date.now(), 0));
  if (losesData)
    world.failedOnPurpose.push(...running, ...waiting.filter((id) => world.noted('finished', id).length === 0));
  await end(world);

  // Consumption is resumed: what is enqueued now runs.
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

  // Whoever waited is answered, and so is whoever asks now.
  for (const answer of await Promise.all(results)) {
    assert(
      answer.result !== undefined || (losesData && answer.error?.code === 'TASK_NOT_FOUND'),
      JSON.stringify(answer),
    );
  }
  if (!losesData) await world.finished();
  await world.finalStates(web, after);
  const { unexpected, duplicated, refused } = world.counts();
  assert(unexpected <= (rest.hears ? refused : 0), `${unexpected} tasks ran although enqueueing them failed.`);
  // It was shorter than a worker may be silent.
  if (kind !== 'forgotten') assert.equal(duplicated, 0);
  for (const process of new Set([web, worker])) assertShortLog(process);
}

/** Broken again and again: what is in use at the end is what was in use at the beginning. */
export async function again(world: World, times: number): Promise<void> {
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
  await world.until(async () => (await process.ask.usage()).open <= before.open + 2, 'what was opened is closed');
  const after = await process.ask.usage();
  const grown = (after.heap - before.heap) / 1024 / 1024;
  assert(grown < 5 + times / 10, `The heap has grown by ${grown.toFixed(1)} MB.`);
  assertShortLog(process, 2 * (times + 3));
}

/** A line when it is lost, a line when it is found, and a few for the tasks. */
function assertShortLog(process: TestProcess, most = 6): void {
  const lines = process.lines.filter((line) => !line.includes('Running the queues'));
  assert(lines.length <= most, `There are ${lines.length} lines in the log:\n${lines.join('\n')}`);
  // And nothing that did not come from the library: warnings of Node, of drivers, stacks.
  const others = process.log.filter((line) => !line.startsWith('[Nest]'));
  assert.deepEqual(others, []);
}
