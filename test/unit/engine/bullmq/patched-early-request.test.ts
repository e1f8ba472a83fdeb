import { beforeEach, expect, it } from '@jest/globals';
import { bullmq } from '../../../../lib/engine/bullmq/bullmq-package.cjs';
import { EarlyRequest, WAIT_AND_ASK } from '../../../../lib/engine/bullmq/patched-early-request.js';

type Answer = unknown[];

const JOB: Answer = [['name', 'x'], 'id', 0, 0];
const OTHER: Answer = [['name', 'y'], 'other', 0, 0];
const NONE: Answer = [0, 0, 0, 0];

/** BullMQ's backend of a worker. Its commands are answered by the test. */
class Backend {
  answers: Answer[] = [];

  async moveToActive(_token: string): Promise<Answer> {
    return this.answers.shift() ?? NONE;
  }
}

/** The wait of a worker, which the test ends too. */
class Wait {
  private resolve: (() => void) | undefined;

  get isOpen(): boolean {
    return this.resolve !== undefined;
  }

  begin(): Promise<void> {
    return new Promise((resolve) => (this.resolve = resolve));
  }

  end(): void {
    this.resolve?.();
    this.resolve = undefined;
  }
}

/** As BullMQ's worker asks for jobs. */
class Requests {
  readonly opts = {};
  private count = 0;

  next(): Promise<Answer> {
    return this[WAIT_AND_ASK](`worker:${this.count++}`);
  }

  async [WAIT_AND_ASK](token: string): Promise<Answer> {
    await wait.begin();
    return this.moveToActive(token);
  }

  async moveToActive(token: string): Promise<Answer> {
    return backend.moveToActive(token);
  }
}

let backend: Backend;
let wait: Wait;
let requests: Requests;
let early: EarlyRequest;
/** The tokens of the requests that were sent early. */
let sent: string[];

beforeEach(() => {
  backend = new Backend();
  wait = new Wait();
  requests = new Requests();
  sent = [];
  early = new EarlyRequest(backend, wait);
  early.watch(requests as never);
});

const make = (answer: Answer | undefined = JOB) =>
  early.make(async (token) => {
    sent.push(token);
    return answer;
  });
/** Makes an early request that cannot be answered. */
const makeInVain = () => early.make(async () => undefined);

it('the request of an idle worker is sent at once, and its wait ends', async () => {
  const taken = requests.next();
  expect(early.isPossible).toBe(true);
  make();
  // Nothing waits for a promise of the worker.
  expect(sent).toEqual(['worker:0']);
  expect(wait.isOpen).toBe(false);
  expect(await taken).toEqual(JOB);
});

it('a worker gets the answer to its early request once', async () => {
  const taken = requests.next();
  make();
  await taken;
  const later = requests.next();
  backend.answers = [OTHER];
  wait.end();
  expect(await later).toEqual(OTHER);
});

it('the answer is for the token of the request alone', async () => {
  const taken = requests.next();
  make();
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

it('no early request is possible for a worker that does not wait', async () => {
  expect(early.isPossible).toBe(false);
  const taken = requests.next();
  wait.end();
  await taken;
  expect(early.isPossible).toBe(false);
  make();
  expect(sent).toEqual([]);
});

it('a request that another change of the backend holds is sent later, in the own way of the worker', async () => {
  const { moveToActive } = backend;
  let place: (() => void) | undefined;
  backend.moveToActive = async (token) => {
    await new Promise<void>((resolve) => (place = resolve));
    return moveToActive.call(backend, token);
  };
  const taken = requests.next();
  make();
  expect(sent).toEqual([]);
  backend.answers = [OTHER];
  place?.();
  expect(await taken).toEqual(OTHER);
  expect(sent).toEqual([]);
});

it('no early request is possible for a worker whose tokens are unknown', () => {
  early = new EarlyRequest(backend, wait);
  void wait.begin();
  expect(early.isPossible).toBe(false);
});

it('a worker asks in its own way when its early request could not be answered', async () => {
  backend.answers = [OTHER];
  const taken = requests.next();
  makeInVain();
  expect(await taken).toEqual(OTHER);
  void requests.next();
  expect(early.isPossible).toBe(true);
});

it('a worker whose early request got no job makes no other one until it has got one', async () => {
  const taken = requests.next();
  make(NONE);
  expect(await taken).toEqual(NONE);
  const next = requests.next();
  expect(early.isPossible).toBe(false);
  backend.answers = [JOB];
  wait.end();
  expect(await next).toEqual(JOB);
  void requests.next();
  expect(early.isPossible).toBe(true);
});
