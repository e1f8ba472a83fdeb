import { beforeEach, expect, it, jest } from '@jest/globals';
import { PostgresConnection, PostgresQueueBackend, type PgPool, type PgQueryResult } from 'bullmq';
import { LaneSwitch } from '../../../../../lib/engine/bullmq/postgres/lane/lane-switch.js';
import { NotificationWait } from '../../../../../lib/engine/bullmq/postgres/notification-wait.js';
import {
  takeWithAdd,
  type IdleWorker,
  type TakingWithAddDeps,
} from '../../../../../lib/engine/bullmq/postgres/patched-add-job.js';

const AHEAD = 5_000;
const JOB = { name: 'echo', data: '{"a":1}', opts: { attempts: 2 }, timestamp: 1_000 };
const TAKEN = {
  id: 'x',
  name: 'echo',
  data: { a: 1 },
  opts: {},
  attempts_made: 0,
  added_at_ms: 1_000,
  lock_token: 't',
};

/** What is sent: for BullMQ's own statement its parameters, for the one statement all of them. */
let alone: unknown[][];
let together: unknown[][];
let answer: () => Promise<PgQueryResult>;
let idle: IdleWorker | undefined;
/** What the worker gets for its early request. */
let taken: Promise<unknown> | undefined;
let laneSwitch: LaneSwitch;
const warn = jest.fn();

/** A worker that asks at once, unless it `holds` the request. */
function idleWorker(holds = false): IdleWorker {
  const make: IdleWorker['early']['make'] = (take) => {
    if (!holds) taken = take('worker:1');
    taken?.catch(() => undefined);
  };
  return { early: { make } as never, name: 'worker', lockDuration: 30_000 };
}

function backend(): PostgresQueueBackend {
  const pool = {
    query: async (_text: string, params: unknown[]) => {
      alone.push(params);
      return { rows: [{ id: params[1] }], rowCount: 1 };
    },
    connect: async () => undefined,
    end: async () => undefined,
    on: () => pool,
  } as unknown as PgPool;
  class Connection extends PostgresConnection {
    override async waitUntilReady(): Promise<void> {}
  }
  const bare = new PostgresQueueBackend(new Connection(pool), 'default', { connection: pool });
  const deps: TakingWithAddDeps = {
    idle: { find: () => idle },
    clock: { difference: AHEAD },
    laneSwitch,
    query: (_text, params) => {
      together.push([...params]);
      return answer();
    },
    outageOfWorker: (error) => {
      throw Object.assign(new Error((error as Error).message), { code: 'ECONNREFUSED' });
    },
  };
  return takeWithAdd(bare, deps);
}

beforeEach(() => {
  alone = [];
  together = [];
  answer = async () => ({ rows: [{ id: 'x', taken: TAKEN }] });
  idle = idleWorker();
  taken = undefined;
  warn.mockClear();
  laneSwitch = new LaneSwitch({ warn });
});

const refuse = (code: string) => {
  answer = async () => {
    throw Object.assign(new Error('refused'), { code, severity: 'ERROR' });
  };
};

it('a job is stored and taken with one statement when a worker is idle', async () => {
  jest.spyOn(Date, 'now').mockReturnValueOnce(2_000);
  expect(await backend().addJob(JOB as never, 'x')).toBe('x');
  expect(alone).toEqual([]);
  expect(together).toEqual([
    [
      ...['default', 'x', 'echo', '{"a":1}', '{"attempts":2}', 0, 0, 1_000, 2, null, null, null, null, null, false],
      ...['worker:1', 30_000, 2_000 + AHEAD, 'worker'],
    ],
  ]);
  expect(await taken).toEqual([expect.objectContaining({ id: 'x', name: 'echo', data: '{"a":1}' }), 'x', 0, 0]);
});

it('a worker asks in its own way when the statement takes no job', async () => {
  answer = async () => ({ rows: [{ id: 'x', taken: null }] });
  expect(await backend().addJob(JOB as never, 'x')).toBe('x');
  expect(await taken).toBeUndefined();
});

it.each([
  ['no worker is idle', {}, (): void => void (idle = undefined)],
  ['the worker has no place', {}, (): void => void (idle = idleWorker(true))],
  ['the lane is off', {}, (): void => laneSwitch.turnOff()],
  ['the job is delayed', { delay: 10 }, (): void => undefined],
  ['the job has a key', { deduplicationId: 'key' }, (): void => undefined],
  ['the job belongs to a scheduler', { repeatJobKey: 'daily' }, (): void => undefined],
  ['the job has a parent', { parent: { id: 'p', queueKey: 'default' } }, (): void => undefined],
])('a job is stored alone when %s', async (_, options, prepare) => {
  prepare();
  expect(await backend().addJob({ ...JOB, ...options } as never, 'x')).toBe('x');
  expect(alone).toHaveLength(1);
  expect(together).toEqual([]);
});

it.each([
  ['a deadlock', '40P01'],
  ['a value that cannot be stored', '22P05'],
])('a job is stored alone, and the worker asks in its own way, after %s', async (_, code) => {
  refuse(code);
  expect(await backend().addJob(JOB as never, 'x')).toBe('x');
  expect(alone).toHaveLength(1);
  expect(await taken).toBeUndefined();
  expect(laneSwitch.isOn('default')).toBe(true);
});

it('a statement that cannot run on these tables is not tried again', async () => {
  refuse('42883');
  expect(await backend().addJob(JOB as never, 'x')).toBe('x');
  expect(await backend().addJob(JOB as never, 'y')).toBe('y');
  expect(together).toHaveLength(1);
  expect(warn).toHaveBeenCalledWith(expect.stringContaining('A statement that does the work of several cannot run'));
});

it('an outage fails the call that stores the job, and the request of the worker', async () => {
  answer = async () => {
    throw new Error('Connection terminated unexpectedly');
  };
  await expect(backend().addJob(JOB as never, 'x')).rejects.toThrow('Connection terminated');
  await expect(taken).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  expect(alone).toEqual([]);
});

it('the wait for a notification is open while BullMQ can end it', () => {
  const end = jest.fn();
  const inside: { cancelWait?: () => void } = {};
  const wait = new NotificationWait(inside as never);
  expect(wait.isOpen).toBe(false);
  expect(() => wait.end()).not.toThrow();
  inside.cancelWait = end;
  expect(wait.isOpen).toBe(true);
  wait.end();
  expect(end).toHaveBeenCalledTimes(1);
});
