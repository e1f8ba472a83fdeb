import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Redis } from 'ioredis';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { bullmq } from '../../../../../lib/engine/bullmq/bullmq-package.cjs';
import { askWith, IdleWait, WAIT_AND_ASK } from '../../../../../lib/engine/bullmq/redis/patched-idle-wait.js';

type Marker = { member: string; score: number } | null;
type Answer = unknown[];

const MARKER: Marker = { member: '0', score: 0 };
const JOB: Answer = [['name', 'x'], 'id', 0, 0];
const OTHER: Answer = [['name', 'y'], 'other', 0, 0];
const NONE: Answer = [0, 0, 0, 0];

/** BullMQ's backend of a worker. Its commands are answered by the test. */
class Backend {
  /** The waits that are with Redis, as `[seconds, how they end]`. */
  readonly waits: { timeout: number; end(marker: Marker): void; fail(error: Error): void }[] = [];
  answers: Answer[] = [];

  waitForJob(timeout: number): Promise<Marker> {
    return new Promise((end, fail) => this.waits.push({ timeout, end, fail }));
  }

  async moveToActive(_token: string): Promise<Answer> {
    return this.answers.shift() ?? NONE;
  }

  async moveToCompleted(..._args: unknown[]): Promise<void> {}
  async moveToFailed(..._args: unknown[]): Promise<void> {}
}

/** As BullMQ's worker asks for jobs. */
class Requests {
  readonly opts = {};
  private count = 0;

  next(timeout = 5): Promise<Answer | undefined> {
    return this[WAIT_AND_ASK](`worker:${this.count++}`, { timeout });
  }

  async [WAIT_AND_ASK](token: string, { timeout }: { timeout: number }): Promise<Answer | undefined> {
    const marker = await backend.waitForJob(timeout);
    return marker && marker.score <= 0 ? this.moveToActive(token) : undefined;
  }

  async moveToActive(token: string): Promise<Answer> {
    return backend.moveToActive(token);
  }
}

/** A client that notes what is sent in one packet. */
class Client {
  readonly packets: string[][] = [];
  private corked: string[] | undefined;
  answer: () => Promise<Answer | undefined> = async () => JOB;
  readonly stream = {
    cork: () => void (this.corked = []),
    uncork: () => {
      if (this.corked) this.packets.push(this.corked);
      this.corked = undefined;
    },
  };

  async send(text: string): Promise<void> {
    if (this.corked) this.corked.push(text);
    else this.packets.push([text]);
  }

  take(token: string): Promise<Answer | undefined> {
    void this.send(`take for ${token}`);
    return this.answer();
  }
}

let backend: Backend;
let client: Client;
let requests: Requests;
let wait: IdleWait;
let handOn: jest.Mock<() => void>;

beforeEach(() => {
  backend = new Backend();
  client = new Client();
  requests = new Requests();
  handOn = jest.fn();
  wait = new IdleWait(backend as never, { take: (token) => client.take(token), handOn });
  wait.watch(requests as never);
});
afterEach(() => {
  for (const { end } of backend.waits) end(null);
});

const waitAndTake = (timeout?: number) => requests.next(timeout);
const enqueue = () => askWith(client as unknown as Redis, wait, () => client.send('add'));

it('the request of an idle worker is sent in the packet that stores the job', async () => {
  const taken = waitAndTake();
  expect(wait.isIdle).toBe(true);
  void enqueue();
  // Nothing waits for a promise of the worker.
  expect(client.packets).toEqual([['add', 'take for worker:0']]);
  expect(await taken).toEqual(JOB);
});

it('a worker gets the answer to its early request once', async () => {
  const taken = waitAndTake();
  await enqueue();
  await taken;
  const later = waitAndTake();
  backend.answers = [OTHER];
  backend.waits[0]?.end(MARKER);
  expect(await later).toEqual(OTHER);
});

it('the answer is for the token of the request alone', async () => {
  const taken = waitAndTake();
  void enqueue();
  backend.answers = [OTHER];
  expect(await backend.moveToActive('worker:9')).toEqual(OTHER);
  expect(await taken).toEqual(JOB);
});

it('the workers of BullMQ have the methods with which a worker waits and asks', () => {
  expect(bullmq.Worker.prototype).toMatchObject({
    [WAIT_AND_ASK]: expect.any(Function),
    moveToActive: expect.any(Function),
  });
});

it('a worker that does not wait is not idle', async () => {
  expect(wait.isIdle).toBe(false);
  const taken = waitAndTake();
  backend.waits[0]?.end(MARKER);
  await taken;
  expect(wait.isIdle).toBe(false);
});

it('a request that another change of the backend holds is sent later, on the client of the worker', async () => {
  const { moveToActive } = backend;
  let place: (() => void) | undefined;
  backend.moveToActive = async (token) => {
    await new Promise<void>((resolve) => (place = resolve));
    return moveToActive.call(backend, token);
  };
  const taken = waitAndTake();
  await enqueue();
  expect(client.packets).toEqual([['add']]);
  backend.waits[0]?.end(MARKER);
  await sleep(5);
  // Nobody else asks for the job of this marker.
  expect(handOn).toHaveBeenCalledTimes(1);
  backend.answers = [OTHER];
  place?.();
  expect(await taken).toEqual(OTHER);
});

it('a worker whose tokens are unknown is not idle', () => {
  wait = new IdleWait(backend as never, { take: (token) => client.take(token), handOn });
  void backend.waitForJob(5);
  expect(wait.isIdle).toBe(false);
});

it('a worker asks in its own way when its early request could not be answered', async () => {
  client.answer = async () => undefined;
  backend.answers = [OTHER];
  const taken = waitAndTake();
  await enqueue();
  expect(await taken).toEqual(OTHER);
  void waitAndTake();
  expect(wait.isIdle).toBe(true);
});

it('a worker whose early request got no job is not asked again until it has got one', async () => {
  client.answer = async () => NONE;
  const taken = waitAndTake();
  await enqueue();
  expect(await taken).toEqual(NONE);
  const next = waitAndTake();
  expect(wait.isIdle).toBe(false);
  backend.answers = [JOB];
  backend.waits[0]?.end(MARKER);
  expect(await next).toEqual(JOB);
  void waitAndTake();
  expect(wait.isIdle).toBe(true);
});

describe('a wait that ended early', () => {
  const busy = async (): Promise<void> => {
    const taken = waitAndTake();
    await enqueue();
    await taken;
  };

  it('stays with Redis, and the next wait takes its answer', async () => {
    await busy();
    const next = waitAndTake();
    expect(backend.waits).toHaveLength(1);
    backend.answers = [JOB];
    backend.waits[0]?.end(MARKER);
    expect(await next).toEqual(JOB);
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
    client.answer = () => new Promise((resolve) => (answer = resolve));
    const taken = waitAndTake();
    await enqueue();
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
