import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { MarkerWait } from '../../../../../lib/engine/bullmq/redis/patched-marker-wait.js';

type Marker = { member: string; score: number } | null;
type Answer = unknown[];

const MARKER: Marker = { member: '0', score: 0 };
const JOB: Answer = [['name', 'x'], 'id', 0, 0];

/** BullMQ's backend of a worker. Its commands are answered by the test. */
class Backend {
  /** The waits that are with Redis, as `[seconds, how they end]`. */
  readonly waits: { timeout: number; end(marker: Marker): void; fail(error: Error): void }[] = [];
  answer = async (): Promise<Answer> => JOB;

  waitForJob(timeout: number): Promise<Marker> {
    return new Promise((end, fail) => this.waits.push({ timeout, end, fail }));
  }

  moveToActive(_token: string): Promise<Answer> {
    return this.answer();
  }

  async moveToCompleted(..._args: unknown[]): Promise<void> {}
  async moveToFailed(..._args: unknown[]): Promise<void> {}
}

let backend: Backend;
let wait: MarkerWait;
let handOn: jest.Mock<() => void>;

beforeEach(() => {
  backend = new Backend();
  handOn = jest.fn();
  wait = new MarkerWait(backend as never, handOn);
  wait.followRequests(backend);
});
afterEach(() => {
  for (const { end } of backend.waits) end(null);
});

it('a worker waits until it gets a marker', async () => {
  expect(wait.isOpen).toBe(false);
  const marker = backend.waitForJob(5);
  expect(wait.isOpen).toBe(true);
  backend.waits[0]?.end(MARKER);
  expect(await marker).toEqual(MARKER);
  expect(wait.isOpen).toBe(false);
});

it('the end of a wait makes the worker ask', async () => {
  const marker = backend.waitForJob(5);
  wait.end();
  expect(await marker).toEqual({ member: '', score: 0 });
  expect(wait.isOpen).toBe(false);
});

it('a wait that is over cannot be ended', () => {
  expect(() => wait.end()).not.toThrow();
});

describe('a wait that ended early', () => {
  const busy = async (): Promise<void> => {
    const marker = backend.waitForJob(5);
    wait.end();
    await marker;
    await backend.moveToActive('token');
  };

  it('stays with Redis, and the next wait takes its answer', async () => {
    await busy();
    const next = backend.waitForJob(5);
    expect(backend.waits).toHaveLength(1);
    backend.waits[0]?.end(MARKER);
    expect(await next).toEqual(MARKER);
    expect(handOn).not.toHaveBeenCalled();
  });

  it('does not make the next wait longer', async () => {
    await busy();
    expect(await backend.waitForJob(0.02)).toBeNull();
    void backend.waitForJob(5);
    expect(backend.waits).toHaveLength(1);
  });

  it('makes the next wait fail when its connection breaks', async () => {
    await busy();
    const next = backend.waitForJob(5);
    backend.waits[0]?.fail(new Error('Connection is closed.'));
    await expect(next).rejects.toThrow('Connection is closed.');
    void backend.waitForJob(3);
    expect(backend.waits.map(({ timeout }) => timeout)).toEqual([5, 3]);
  });

  it('may fail while the worker runs a job', async () => {
    await busy();
    backend.waits[0]?.fail(new Error('Connection is closed.'));
    await sleep(5);
    void backend.waitForJob(3);
    expect(backend.waits).toHaveLength(2);
  });

  it('hands a marker on that comes while the worker runs a job and asks for no other', async () => {
    await busy();
    backend.waits[0]?.end(MARKER);
    await sleep(5);
    expect(handOn).toHaveBeenCalledTimes(1);
    void backend.waitForJob(5);
    expect(backend.waits).toHaveLength(2);
  });

  it('keeps a marker until the request has its answer that was sent before it came', async () => {
    let answer: ((answer: Answer) => void) | undefined;
    backend.answer = () => new Promise((resolve) => (answer = resolve));
    void backend.waitForJob(5);
    wait.end();
    const taken = backend.moveToActive('token');
    await nextTurn();
    backend.waits[0]?.end(MARKER);
    await sleep(5);
    expect(handOn).not.toHaveBeenCalled();
    answer?.(JOB);
    await taken;
    await sleep(5);
    expect(handOn).toHaveBeenCalledTimes(1);
  });

  it.each([
    ['asks for another one', () => backend.moveToActive('token')],
    ['asks for another one with the end of a job', () => backend.moveToCompleted({}, 1, 0, 'token', true)],
    ['asks for another one with a failure', () => backend.moveToFailed({}, 'no', 0, 'token', true)],
  ])('hands no marker on when the worker %s', async (_, ask) => {
    await busy();
    backend.waits[0]?.end(MARKER);
    await Promise.resolve();
    await Promise.resolve();
    await ask();
    await sleep(5);
    expect(handOn).not.toHaveBeenCalled();
  });

  it('hands a marker on when the worker ends a job without asking for another one', async () => {
    await busy();
    backend.waits[0]?.end(MARKER);
    await backend.moveToCompleted({}, 1, 0, 'token', false);
    await sleep(5);
    expect(handOn).toHaveBeenCalledTimes(1);
  });

  it('gives a marker that came shortly before to the next wait', async () => {
    await busy();
    backend.waits[0]?.end(MARKER);
    await Promise.resolve();
    await Promise.resolve();
    expect(await backend.waitForJob(5)).toEqual(MARKER);
    await sleep(5);
    expect(handOn).not.toHaveBeenCalled();
  });
});
