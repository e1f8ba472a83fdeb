import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ConfigurationError, EngineUnavailableError } from 'nestjs-task-queue';
import { problemOfEngine } from '../../../lib/engine-problem.js';
import { systemClock } from '../../../lib/engine/clock.js';
import type { Engine } from '../../../lib/engine/engine.js';
import { MemoryEngine } from '../../../lib/engine/memory/memory-engine.js';
import type { ListPosition } from '../../../lib/engine/ports/list-port.js';
import { withRefusal, type Refusal } from '../../../lib/engine/refusal.js';
import { ShardedEngine } from '../../../lib/engine/shards/sharded-engine.js';
import { topologyOf } from '../../../lib/engine/shards/topology.js';
import { memberId, newTaskId } from '../../../lib/engine/task-id.js';
import type { TaskCall } from '../../../lib/engine/task.js';
import { until } from '../../support/until.js';

const topology = topologyOf(
  ['media'],
  new Map([
    ['films', 'media'],
    ['thumbnails', 'media'],
  ]),
);
const retention = { ttl: 60_000, failedTtl: 60_000 };

let first: MemoryEngine;
let media: MemoryEngine;
let engine: Engine;

beforeEach(() => {
  first = new MemoryEngine({ retention });
  media = new MemoryEngine({ retention });
  engine = new ShardedEngine(
    new Map([
      ['default', first],
      ['media', media],
    ]),
    topology,
  );
});

afterEach(() => engine.close());

function call(queue: string, change: Partial<TaskCall> = {}): TaskCall {
  return { id: newTaskId(queue), name: 'Any.task', queue, args: [], headers: {}, options: {}, ...change };
}

/** Makes an engine answer as one whose server is gone. */
function cutOff(cut: MemoryEngine): () => void {
  const refuse = () => Promise.reject(new EngineUnavailableError('gone'));
  const spies = [
    jest.spyOn(cut, 'ping').mockImplementation(refuse),
    jest.spyOn(cut, 'enqueue').mockImplementation(refuse),
    jest.spyOn(cut, 'find').mockImplementation(refuse),
    jest.spyOn(cut.lists, 'queueNames').mockImplementation(refuse),
    jest.spyOn(cut.lists, 'list').mockImplementation(refuse),
    jest.spyOn(cut.lists, 'figures').mockImplementation(refuse),
    jest.spyOn(cut.control, 'settings').mockImplementation(refuse),
    jest.spyOn(cut.workers, 'list').mockImplementation(refuse),
    jest.spyOn(cut.workers, 'publish').mockImplementation(refuse),
    jest.spyOn(cut.statistics, 'read').mockImplementation(refuse),
    jest.spyOn(cut.snapshots, 'get').mockImplementation(refuse),
  ];
  return () => {
    for (const spy of spies) spy.mockRestore();
  };
}

describe('a queue', () => {
  it('is in its shard, and its tasks are found there and nowhere else', async () => {
    const [mail, film] = [call('mail'), call('films')];
    const spies = [jest.spyOn(first, 'find'), jest.spyOn(media, 'find')];
    const receipts = await engine.enqueue([film, mail]);
    expect(receipts.map(({ id }) => id)).toEqual([film.id, mail.id]);
    expect(await engine.find(film.id)).toMatchObject({ queue: 'films' });
    expect(await engine.find(mail.id)).toMatchObject({ queue: 'mail' });
    expect(spies.map(({ mock }) => mock.calls)).toEqual([[[mail.id]], [[film.id]]]);
  });

  it('has the tasks that look after its workflows in its own shard', async () => {
    expect(topology.workflowQueue('mail')).toBe('_workflows');
    expect(topology.workflowQueue('films')).toBe('_workflows-media');
    expect(topology.shardOf('_workflows-media')).toBe('media');
    expect(topology.shardOf('_workflows-gone')).toBe('default');
    expect(topology.workflowQueue('_workflows-media')).toBe('_workflows-media');
    const id = memberId('films.abc', 'x', '_workflows-media');
    await media.enqueue([call('_workflows-media', { id })]);
    expect(await engine.find(id)).toMatchObject({ id });
  });

  it('of a workflow is in the shard of the others', async () => {
    const root = call('films');
    const member = { ...call('mail', { id: memberId(root.id, 0, 'mail') }), members: [] };
    await expect(engine.enqueueTree({ ...root, members: [member] })).rejects.toThrow(ConfigurationError);
    await expect(engine.enqueueTree({ ...root, members: [member] })).rejects.toThrow(
      /spans two shards: "Any\.task" \(queue "mail"\) is in default, and "Any\.task" \(queue "films"\) is in media\./,
    );
    expect(await engine.find(root.id)).toBeUndefined();
  });
});

describe('lists', () => {
  it('of delayed tasks are merged by time, page by page', async () => {
    const start = Date.now() + 60_000;
    const calls = Array.from({ length: 9 }, (_, index) =>
      call(index % 3 === 0 ? 'mail' : index % 3 === 1 ? 'films' : 'thumbnails', {
        options: { startAt: start + index * 1_000 },
      }),
    );
    await engine.enqueue(calls.toReversed());
    const found: string[] = [];
    let after: ListPosition | undefined;
    for (;;) {
      const page = await engine.lists.list({
        list: 'delayed',
        queues: ['films', 'mail', 'thumbnails'],
        after,
        count: 2,
      });
      found.push(...page.flatMap(({ record }) => record?.id ?? []));
      if (page.length < 2) break;
      after = page.at(-1)?.position;
    }
    expect(found).toEqual(calls.map(({ id }) => id));
  });

  it('of waiting tasks follow each other by queue, page by page', async () => {
    const calls = ['films', 'films', 'mail', 'mail', 'thumbnails', 'zoo'].map((queue) => call(queue));
    await engine.enqueue(calls);
    const found: string[] = [];
    let after: ListPosition | undefined;
    for (;;) {
      const queues = ['films', 'mail', 'thumbnails', 'zoo'];
      const page = await engine.lists.list({ list: 'queued', queues, after, count: 1 });
      if (page.length === 0) break;
      found.push(...page.flatMap(({ record }) => record?.id ?? []));
      after = page.at(-1)?.position;
    }
    expect(found).toEqual(calls.map(({ id }) => id));
  });

  it('refuse a position that no list gave', async () => {
    const request = { list: 'failed', queues: ['films', 'mail'], after: ['default', 'no json'], count: 1 } as const;
    await expect(engine.lists.list(request)).rejects.toThrow('cursor is none of this list');
  });

  it('name each queue once, and not what is left of it in another shard', async () => {
    await engine.enqueue([call('films'), call('mail')]);
    await first.enqueue([call('films')]);
    expect(await engine.lists.queueNames()).toEqual(['films', 'mail']);
  });

  it('have figures and settings in the order of the queues', async () => {
    await engine.enqueue([call('films'), call('films'), call('mail')]);
    await engine.control.pause('films', { by: 'ada', at: 1, reason: null });
    const figures = await engine.lists.figures(['films', 'mail', 'thumbnails']);
    expect(figures.map((each) => each?.sizes.queued)).toEqual([2, 1, 0]);
    const settings = await engine.control.settings(['thumbnails', 'mail', 'films']);
    expect(settings.map((each) => each?.paused)).toEqual([false, false, true]);
  });
});

describe('a shard that cannot be reached', () => {
  it('is left out of what concerns all, and named', async () => {
    await engine.enqueue([call('films'), call('mail')]);
    const restore = cutOff(media);
    expect(await engine.lists.queueNames()).toEqual(['mail']);
    expect(engine.missingShards()).toEqual(['media']);
    const [mail, films] = await engine.lists.figures(['mail', 'films']);
    expect([mail?.sizes.queued, films]).toEqual([1, undefined]);
    expect(await engine.control.settings(['films', 'mail'])).toEqual([undefined, expect.anything()]);
    expect(
      await engine.lists.list({ list: 'queued', queues: ['films', 'mail'], after: undefined, count: 9 }),
    ).toHaveLength(1);
    await expect(engine.lists.figures(['films'])).rejects.toThrow(EngineUnavailableError);
    await expect(engine.ping()).rejects.toThrow('shard media: gone');
    restore();
    expect(await engine.lists.queueNames()).toEqual(['films', 'mail']);
    expect(engine.missingShards()).toEqual([]);
    await engine.ping();
  });

  it('is told by a probe as what it is, if all that fail have the same reason', async () => {
    const fail = (each: MemoryEngine, refusal: Refusal | undefined) =>
      jest.spyOn(each, 'ping').mockRejectedValue(withRefusal(new EngineUnavailableError('no'), refusal));
    const problem = async () => problemOfEngine(await engine.ping().catch((error: unknown) => error));
    fail(media, 'forbidden');
    expect(await problem()).toMatch(/a right is missing/);
    fail(first, undefined);
    expect(await problem()).toBe('The engine cannot be reached.');
  });

  it('does not keep calls from other shards', async () => {
    const restore = cutOff(media);
    const [mail, film] = [call('mail'), call('films')];
    await expect(engine.enqueue([film, mail])).rejects.toThrow(EngineUnavailableError);
    expect(await engine.find(mail.id)).toMatchObject({ id: mail.id });
    restore();
    expect(await engine.enqueue([film, mail])).toHaveLength(2);
  });

  it('makes only the first answer wait for it', async () => {
    cutOff(media);
    await engine.lists.queueNames();
    jest.spyOn(media.lists, 'queueNames').mockImplementation(() => new Promise(() => undefined));
    expect(await engine.lists.queueNames()).toEqual([]);
  });

  it('gives the snapshots another place', async () => {
    const restore = cutOff(first);
    await media.snapshots.set({ figures: 'x' });
    expect(await engine.snapshots.get(['figures'])).toEqual(['x']);
    restore();
  });
});

it('a worker is published in every shard, and listed once', async () => {
  const worker = {
    ...{ id: 'w', host: 'h', pid: 1, version: '1', startedAt: 1, queues: ['mail'], concurrency: {} },
    ...{ application: 'shop', tasks: [], schedules: [] },
  };
  await engine.workers.publish(worker);
  expect(await media.workers.list()).toHaveLength(1);
  expect(await engine.workers.list()).toHaveLength(1);
  const restore = cutOff(first);
  expect(await engine.workers.list()).toMatchObject([{ id: 'w' }]);
  restore();
  await engine.workers.requestShutdown('w', { by: 'ada', reason: null, grace: undefined });
  expect(await engine.workers.shutdownRequest('w')).toMatchObject({ by: 'ada' });
  await engine.workers.withdraw('w');
  expect(await engine.workers.list()).toEqual([]);
});

it('the list of workers does not wait for a shard that gives no answer', async () => {
  const worker = {
    ...{ id: 'w', host: 'h', pid: 1, version: '1', startedAt: 1, queues: ['mail'], concurrency: {} },
    ...{ application: 'shop', tasks: [], schedules: [] },
  };
  jest.spyOn(media.workers, 'publish').mockImplementation(() => new Promise(() => undefined));
  jest.spyOn(media.workers, 'list').mockImplementation(() => new Promise(() => undefined));
  await engine.workers.publish(worker);
  expect(await engine.workers.list()).toMatchObject([{ id: 'w' }]);
}, 3_000);

describe('a shard whose clock is another one', () => {
  const HOUR = 3_600_000;

  it.each([HOUR, -HOUR])('by %i ms begins and expires its tasks on time', async (ahead) => {
    const skewed = new MemoryEngine({ retention, clock: { ...systemClock, now: () => Date.now() + ahead } });
    const both = new ShardedEngine(
      new Map([
        ['default', first],
        ['media', skewed],
      ]),
      topology,
    );
    const begun = Date.now();
    const expiresAt = begun + 60_000;
    const delayed = call('films', { options: { startAt: begun + 400 } });
    const expiring = call('films', { options: { expiresAt } });
    const root = call('films');
    const member = { ...call('films', { id: memberId(root.id, 0, 'films'), options: { expiresAt } }), members: [] };
    await both.enqueue([delayed, expiring]);
    await both.enqueueTree({ ...root, members: [member] });
    expect(await both.find(delayed.id)).toMatchObject({ state: 'scheduled' });
    expect(await both.find(expiring.id)).toMatchObject({ state: 'queued' });
    expect(Math.abs(((await both.find(expiring.id))?.enqueuedAt ?? 0) - begun)).toBeLessThan(1_000);
    const ran: { id: string; at: number; expiresAt: number | undefined }[] = [];
    both.consume(
      'films',
      { concurrency: 9, keep: { succeeded: 60_000, failed: 60_000 } },
      {
        handle: async ({ id, options }) => {
          ran.push({ id, at: Date.now(), expiresAt: options.expiresAt });
          return { kind: 'succeeded', result: undefined };
        },
      },
    );
    await until(() => ran.length === 4);
    const of = (id: string) => ran.find((run) => run.id === id);
    expect(of(delayed.id)?.at).toBeGreaterThanOrEqual(begun + 380);
    for (const { id } of [expiring, member]) expect(Math.abs((of(id)?.expiresAt ?? 0) - expiresAt)).toBeLessThan(500);
    const [entry] = await both.lists.list({ list: 'succeeded', queues: ['films'], after: undefined, count: 1 });
    expect(Math.abs((entry?.record?.finishedAt ?? 0) - Date.now())).toBeLessThan(5_000);
    await both.close();
  });
});
