import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Availability } from '../../../../lib/engine/bullmq/availability.js';
import { CallDeadline, TooLateError, type CheckDeadline } from '../../../../lib/engine/bullmq/call-deadline.js';
import type { Clock } from '../../../../lib/engine/bullmq/clock.js';
import type { Driver } from '../../../../lib/engine/bullmq/driver.js';
import { problemOfEngine } from '../../../../lib/engine-problem.js';
import { ConfigurationError, EngineUnavailableError } from '../../../../lib/errors.js';

const ADDRESS = 'redis://store:6379';
const TIMEOUT = 1_000;
/** The time after which an outage is over at the latest, once everything works again. */
const STEADY = 7_000;
const NEVER = new Promise<never>(() => undefined);
const refused = () => new Error('connect ECONNREFUSED');
const forbidden = () => new Error("NOPERM this user has no permissions to run the 'xadd' command");
const full = () => new Error('MISCONF Errors writing to the AOF file: No space left on device.');
const wrongPassword = () => new ConfigurationError('The password is wrong.');

/** A store that can be reached or not, as the test decides. Its outages say ECONNREFUSED. */
const store = {
  connect: jest.fn<() => Promise<void>>(),
  ping: jest.fn<() => Promise<void>>(),
  abandon: jest.fn<() => void>(),
};
const clock = { isTrusted: true, measure: jest.fn<() => Promise<void>>(), doubt: jest.fn<() => void>() };
let reportBrokenConnection: (error: Error) => void;
let availability: Availability;

const logged: [level: string, line: string][] = [];

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  logged.length = 0;
  for (const level of ['log', 'warn', 'error'] as const) {
    jest.spyOn(Logger.prototype, level).mockImplementation((line: string) => void logged.push([level, line]));
  }
  for (const mock of Object.values(store)) mock.mockReset();
  store.connect.mockResolvedValue();
  store.ping.mockResolvedValue();
  clock.isTrusted = true;
  clock.measure.mockReset().mockResolvedValue();
  clock.doubt.mockReset();
  const driver: Partial<Driver> = {
    ...store,
    address: ADDRESS,
    clock: clock as Partial<Clock> as Clock,
    deadline: new CallDeadline(),
    isOutage: (error) => error instanceof Error && /ECONNREFUSED|NOPERM|MISCONF/.test(error.message),
    isForbidden: (error) => error instanceof Error && error.message.includes('NOPERM'),
    isAnswer: (error) => error instanceof Error && /^(MISCONF|NOPERM)/.test(error.message),
    onError: (listener) => void (reportBrokenConnection = listener),
  };
  availability = new Availability(driver as Driver, TIMEOUT);
});
afterEach(() => {
  availability.close();
  jest.restoreAllMocks();
  jest.useRealTimers();
});

/** The store cannot be reached from now on. */
function breakDown(): void {
  store.connect.mockRejectedValue(refused());
  store.ping.mockRejectedValue(refused());
}

/** The store can be reached from now on. */
function comeBack(): void {
  store.connect.mockResolvedValue();
  store.ping.mockResolvedValue();
}

const advance = (milliseconds: number) => jest.advanceTimersByTimeAsync(milliseconds);
const levels = () => logged.map(([level]) => level);

/** A call that fails with these errors, one after the other, and then succeeds. */
function callThatThrows(...errors: Error[]) {
  const call = jest.fn<(check: CheckDeadline) => Promise<string>>().mockResolvedValue('done');
  for (const error of errors) call.mockRejectedValueOnce(error);
  return call;
}

/** How a call ended, and after how many milliseconds. */
async function endOf(call: Promise<unknown>) {
  const began = Date.now();
  const ends: { value?: unknown; error?: Error; after: number }[] = [];
  call.then(
    (value) => ends.push({ value, after: Date.now() - began }),
    (error: unknown) => ends.push({ error: error as Error, after: Date.now() - began }),
  );
  for (;;) {
    // First without time: what has been called may go on.
    await advance(0);
    const [end] = ends;
    if (end) return end;
    await jest.advanceTimersToNextTimerAsync();
  }
}

describe('withRetries', () => {
  it('connects, runs the call and gives its result', async () => {
    const call = callThatThrows();
    expect(await availability.withRetries('find', call)).toBe('done');
    expect(store.connect).toHaveBeenCalledTimes(1);
    expect(call).toHaveBeenCalledTimes(1);
    expect(logged).toEqual([]);
  });

  it('runs the call again, every 100 ms, while the store cannot be reached', async () => {
    const call = callThatThrows(refused(), refused(), refused());
    expect(await endOf(availability.withRetries('find', call))).toEqual({ value: 'done', after: 300 });
    expect(call).toHaveBeenCalledTimes(4);
  });

  it('runs the call only when the clock of the store is known', async () => {
    clock.isTrusted = false;
    clock.measure.mockRejectedValueOnce(refused()).mockImplementationOnce(async () => void (clock.isTrusted = true));
    const call = callThatThrows();
    expect(await endOf(availability.withRetries('find', call))).toEqual({ value: 'done', after: 100 });
    await availability.withRetries('find', call);
    expect(clock.measure).toHaveBeenCalledTimes(2);
    expect(call).toHaveBeenCalledTimes(2);
  });

  it('doubts the clock after an outage, because another server may answer from then on', async () => {
    breakDown();
    await endOf(availability.withRetries('find', callThatThrows()));
    expect(clock.doubt).toHaveBeenCalled();
  });

  it('tells what the store said, although its last attempt got no answer in time', async () => {
    const call = callThatThrows(...Array.from({ length: 9 }, refused)).mockReturnValueOnce(NEVER);
    const { error, after } = await endOf(availability.withRetries('find', call));
    expect(error).toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringContaining('ECONNREFUSED') as unknown,
      cause: { message: 'connect ECONNREFUSED' },
    });
    expect(after).toBe(TIMEOUT);
    expect(call).toHaveBeenCalledTimes(10);
  });

  it('does not run the call while it cannot connect, whatever the error', async () => {
    store.connect.mockRejectedValueOnce(refused()).mockRejectedValueOnce(new Error('something else'));
    const call = callThatThrows();
    expect(await endOf(availability.withRetries('find', call))).toEqual({ value: 'done', after: 200 });
    expect(call).toHaveBeenCalledTimes(1);
  });

  it('throws a bare copy of the error of a call that is no outage, at once', async () => {
    const error = Object.assign(new Error('syntax error'), { code: '42601', detail: 'a secret' });
    const call = callThatThrows(error);
    const thrown: unknown = await availability.withRetries('find', call).catch((caught: unknown) => caught);
    expect(thrown).toMatchObject({ message: 'syntax error', code: '42601' });
    expect(thrown).not.toHaveProperty('detail');
    expect(call).toHaveBeenCalledTimes(1);
  });

  it.each<[what: string, fail: () => Promise<string>]>([
    [
      'it cannot connect',
      () => availability.withRetries('enqueue', (store.connect.mockRejectedValue(refused()), callThatThrows())),
    ],
    ['the call fails', () => availability.withRetries('enqueue', () => Promise.reject(refused()))],
  ])('throws EngineUnavailableError before the timeout ends when until then %s', async (_, fail) => {
    const { error, after } = await endOf(fail());
    expect(error).toBeInstanceOf(EngineUnavailableError);
    expect(error?.message).toMatch(/^enqueue: .*redis:\/\/store:6379 .*connect ECONNREFUSED.*1000 ms/);
    expect(error?.cause).toEqual(refused());
    expect(after).toBe(900);
  });

  it.each<[what: string, fail: () => Promise<string>]>([
    [
      'the connection',
      () => availability.withRetries('find', (store.connect.mockReturnValue(NEVER), callThatThrows())),
    ],
    ['the call', () => availability.withRetries('find', () => NEVER)],
  ])(
    'throws EngineUnavailableError at the timeout when %s gives no answer, and drops the connection',
    async (_, fail) => {
      const { error, after } = await endOf(fail());
      expect(error).toBeInstanceOf(EngineUnavailableError);
      expect(error?.message).toMatch(/^find: .*no answer/);
      expect(after).toBe(TIMEOUT);
      expect(store.abandon).toHaveBeenCalledTimes(1);
    },
  );

  it('drops no connection for a call that was refused', async () => {
    await endOf(availability.withRetries('find', callThatThrows(refused())));
    expect(store.abandon).not.toHaveBeenCalled();
  });

  it('lets a call that waited too long check that its caller has given up', async () => {
    let check: CheckDeadline = () => undefined;
    const { error } = await endOf(
      availability.withRetries('enqueue', (checkDeadline) => {
        check = checkDeadline;
        expect(check).not.toThrow();
        return NEVER;
      }),
    );
    expect(error).toBeInstanceOf(EngineUnavailableError);
    expect(check).toThrow(TooLateError);
  });

  it('throws EngineUnavailableError with the words of a ConfigurationError, without another attempt', async () => {
    const cause = wrongPassword();
    store.connect.mockRejectedValue(cause);
    const { error, after } = await endOf(availability.withRetries('find', callThatThrows()));
    expect(error).toBeInstanceOf(EngineUnavailableError);
    expect(error).toMatchObject({ message: 'find: The password is wrong.', cause });
    expect(after).toBe(0);
    expect(store.connect).toHaveBeenCalledTimes(1);
  });

  it('refuses a call once the application closes', async () => {
    availability.close();
    const call = callThatThrows();
    const { error, after } = await endOf(availability.withRetries('find', call));
    expect(error).toBeInstanceOf(EngineUnavailableError);
    expect(error?.message).toMatch(/^find: the application .*is closed/);
    expect(after).toBe(0);
    expect(call).not.toHaveBeenCalled();
  });

  it('ends an attempt that is under way when the application closes, with no other', async () => {
    const call = callThatThrows(refused());
    const ended = endOf(availability.withRetries('find', call));
    availability.close();
    const { error } = await ended;
    expect(error).toBeInstanceOf(EngineUnavailableError);
    expect(error).toMatchObject({ message: expect.stringContaining('is closed'), cause: refused() });
    expect(call).toHaveBeenCalledTimes(1);
  });
});

describe('the log of an outage', () => {
  it('has one line for its begin, however many calls fail, and one for its end', async () => {
    breakDown();
    const calls = Array.from({ length: 10 }, () => availability.withRetries('find', callThatThrows()));
    await advance(150);
    expect(logged).toEqual([['error', expect.stringMatching(/redis:\/\/store:6379 .*connect ECONNREFUSED/)]]);
    comeBack();
    await advance(50);
    await Promise.all(calls);
    expect(levels()).toEqual(['error']);
    await advance(STEADY);
    expect(levels()).toEqual(['error', 'log']);
    expect(logged[1]?.[1]).toMatch(/redis:\/\/store:6379 .*0\.2 s/);
    // The store is asked no more.
    expect(jest.getTimerCount()).toBe(0);
  });

  it('has the line for its end although no caller needs the store', async () => {
    breakDown();
    await endOf(availability.withRetries('find', callThatThrows()));
    await advance(5_000);
    comeBack();
    await advance(4_000);
    expect(levels()).toEqual(['error']);
    await advance(1_000);
    expect(levels()).toEqual(['error', 'log']);
    // The pings came every second, and the sixth was the first that succeeded.
    expect(logged[1]?.[1]).toMatch(/after 6\.0 s/);
    await advance(60_000);
    expect(logged).toHaveLength(2);
  });

  it.each<[what: string, error: Error, reason: string]>([
    ['the message', new Error('connect ECONNREFUSED'), 'connect ECONNREFUSED'],
    ['the message without its full stop', new Error('Connection is closed.'), 'Connection is closed'],
    ['the code of an error without a message', Object.assign(new Error(''), { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
    ['the name of an error without either', new RangeError(''), 'RangeError'],
  ])('has for its reason %s', async (_, error, reason) => {
    store.connect.mockRejectedValue(error);
    const end = await endOf(availability.withRetries('find', callThatThrows()));
    for (const text of [logged[0]?.[1], end.error?.message]) {
      expect(text).toContain(reason);
      expect(text).not.toContain(`${reason}..`);
      expect(text).not.toContain(`${reason}.,`);
    }
  });

  it('has both lines again for the next outage', async () => {
    for (let outage = 0; outage < 2; outage++) {
      breakDown();
      await endOf(availability.withRetries('find', callThatThrows()));
      comeBack();
      await advance(60_000 + STEADY);
    }
    expect(levels()).toEqual(['error', 'log', 'error', 'log']);
  });

  it('asks a store that does not answer once at a time, and gives it five seconds', async () => {
    store.connect.mockRejectedValue(refused());
    store.ping.mockReturnValue(NEVER);
    await endOf(availability.withRetries('find', callThatThrows()));
    store.ping.mockClear();
    await advance(6_000);
    expect(store.ping).toHaveBeenCalledTimes(1);
    await advance(6_000);
    expect(store.ping).toHaveBeenCalledTimes(2);
  });

  it('has the reason of a ConfigurationError, which may heal', async () => {
    store.connect.mockRejectedValueOnce(wrongPassword());
    await endOf(availability.withRetries('find', callThatThrows()));
    expect(logged).toEqual([['error', 'Trying again until the tasks can be used: The password is wrong.']]);
    await advance(STEADY);
    expect(levels()).toEqual(['error', 'log']);
  });

  it('ends with the application', async () => {
    breakDown();
    await endOf(availability.withRetries('find', callThatThrows()));
    availability.close();
    expect(jest.getTimerCount()).toBe(0);
    comeBack();
    await advance(60_000);
    expect(levels()).toEqual(['error']);
  });
});

describe('a store that answers at times', () => {
  const enqueue = jest.fn<() => Promise<string>>();
  const tryToEnqueue = () => endOf(availability.withRetries('enqueue', enqueue));
  const find = () => availability.withRetries('find', callThatThrows());

  /** The store becomes read-only: it refuses to store, and drops the connection on which it refused. */
  async function becomeReadOnly(): Promise<void> {
    enqueue.mockReset().mockRejectedValue(refused());
    store.connect.mockRejectedValueOnce(refused());
    await tryToEnqueue();
  }

  it('has one line for its begin, although pings and other calls succeed all the time', async () => {
    await becomeReadOnly();
    for (let second = 0; second < 120; second++) {
      await find();
      if (second % 3 === 0) await tryToEnqueue();
      await advance(1_000);
    }
    expect(levels()).toEqual(['error']);
  });

  it('has a line for its begin and its end when the store refuses calls on connections that stay', async () => {
    enqueue.mockReset().mockRejectedValue(refused());
    for (let time = 0; time < 20; time++) await tryToEnqueue();
    expect(levels()).toEqual(['warn', 'error']);
    enqueue.mockResolvedValue('stored');
    await tryToEnqueue();
    await advance(STEADY);
    expect(levels()).toEqual(['warn', 'error', 'log']);
  });

  it('has no line for its end while a caller tries now and then, and fails', async () => {
    await becomeReadOnly();
    await advance(1_000);
    await tryToEnqueue();
    for (let time = 0; time < 10; time++) {
      await advance(20_000);
      await find();
      await tryToEnqueue();
    }
    expect(levels()).toEqual(['error']);
  });

  it('has one line for its end a few seconds after the calls that failed succeed', async () => {
    await becomeReadOnly();
    for (let time = 0; time < 5; time++) await tryToEnqueue();
    enqueue.mockResolvedValue('stored');
    expect(await tryToEnqueue()).toMatchObject({ value: 'stored' });
    await advance(3_000);
    expect(levels()).toEqual(['error']);
    await advance(STEADY - 3_000);
    expect(levels()).toEqual(['error', 'log']);
    await advance(60_000);
    expect(logged).toHaveLength(2);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('has the line for its end half a minute after the last failure when no caller calls any more', async () => {
    await becomeReadOnly();
    await advance(2_000);
    await tryToEnqueue();
    await advance(28_000);
    expect(levels()).toEqual(['error']);
    await advance(4_000);
    expect(levels()).toEqual(['error', 'log']);
  });

  it('has one line for its begin and one for its end when connections are cut again and again', async () => {
    for (let cut = 0; cut < 30; cut++) {
      store.ping.mockRejectedValueOnce(refused());
      reportBrokenConnection(refused());
      await advance(500);
      await endOf(availability.withRetries('find', callThatThrows(refused())));
      await advance(1_500);
    }
    expect(levels()).toEqual(['error']);
    await advance(STEADY);
    expect(levels()).toEqual(['error', 'log']);
    await advance(60_000);
    expect(logged).toHaveLength(2);
  });

  it('has the line for the end of an outage only after half a minute when it began soon after another', async () => {
    for (let cut = 0; cut < 10; cut++) {
      store.ping.mockRejectedValueOnce(refused());
      reportBrokenConnection(refused());
      await advance(10_000);
    }
    expect(levels()).toEqual(['error', 'log', 'error']);
    await advance(30_000);
    expect(levels()).toEqual(['error', 'log', 'error', 'log']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('has a ping that fails count as a failure', async () => {
    breakDown();
    reportBrokenConnection(refused());
    await advance(0);
    for (let time = 0; time < 10; time++) {
      comeBack();
      await advance(3_000);
      breakDown();
      await advance(1_000);
    }
    expect(levels()).toEqual(['error']);
  });
});

describe('a store that refuses what this process may not do', () => {
  const enqueue = jest.fn<() => Promise<string>>();
  const tryToEnqueue = () => endOf(availability.withRetries('enqueue', enqueue));

  beforeEach(() => void enqueue.mockReset().mockRejectedValue(forbidden()));

  it('is not said to be out of reach, neither to the caller nor in the log', async () => {
    const { error, after } = await tryToEnqueue();
    expect(error).toBeInstanceOf(EngineUnavailableError);
    expect(error).toMatchObject({
      message: `enqueue: ${ADDRESS} refuses it (${forbidden().message}, tried for ${TIMEOUT} ms).`,
      cause: forbidden(),
    });
    expect(after).toBe(900);
    expect(logged).toEqual([
      ['error', expect.stringContaining(`${ADDRESS} refuses enqueue: ${forbidden().message}. `)],
    ]);
    expect(clock.doubt).not.toHaveBeenCalled();
  });

  it('has one line, however many calls and connections it refuses, and one when it refuses nothing any more', async () => {
    for (let time = 0; time < 10; time++) {
      await tryToEnqueue();
      reportBrokenConnection(forbidden());
      await advance(5_000);
    }
    expect(levels()).toEqual(['error']);
    enqueue.mockResolvedValue('stored');
    expect(await tryToEnqueue()).toMatchObject({ value: 'stored' });
    await advance(20_000);
    expect(levels()).toEqual(['error']);
    await advance(12_000);
    expect(logged[1]).toEqual(['log', `${ADDRESS} has refused nothing for 30 s.`]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('has a line of its own when it cannot be reached either, and then one for the end', async () => {
    await tryToEnqueue();
    breakDown();
    reportBrokenConnection(refused());
    await advance(0);
    expect(logged.map(([level, line]) => [level, line.includes('cannot be reached')])).toEqual([
      ['error', false],
      ['error', true],
    ]);
    comeBack();
    await advance(35_000);
    expect(logged[2]).toEqual(['log', expect.stringContaining('can be reached again')]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('keeps a broken connection a warning', async () => {
    await tryToEnqueue();
    reportBrokenConnection(refused());
    await advance(0);
    expect(levels()).toEqual(['error', 'warn']);
  });

  it('fails a ping with the same words', async () => {
    store.ping.mockRejectedValue(forbidden());
    await expect(availability.ping()).rejects.toThrow(`ping: ${ADDRESS} refuses it (${forbidden().message}).`);
  });

  it('is told as what it is by a probe, without its address, also while the store answers pings', async () => {
    await expect(problemOfPing()).resolves.toBeUndefined();
    for (let round = 0; round < 2; round++) {
      await tryToEnqueue();
      // The store answers the ping of the availability.
      await advance(1_500);
    }
    await expect(problemOfPing()).resolves.toMatch(/^The engine refuses what this process asks: a right is missing/);
    store.ping.mockRejectedValue(forbidden());
    await expect(problemOfPing()).resolves.toMatch(/^The engine refuses what this process asks: a right is missing/);
  });
});

describe('a store that answers and takes no calls', () => {
  const call = () => endOf(availability.withRetries('enqueue', () => Promise.reject(full())));

  it('is not said to be out of reach, neither to the caller, nor in the log, nor by a probe', async () => {
    const { error } = await call();
    expect(error).toMatchObject({
      message: `enqueue: ${ADDRESS} refuses it (${full().message.replace(/\.$/, '')}, tried for ${TIMEOUT} ms).`,
    });
    expect(problemOfEngine(error)).toBe('The engine answers, and refuses calls. The log says why.');
    expect(logged.filter(([level]) => level === 'error')).toEqual([
      ['error', expect.stringContaining(`${ADDRESS} answers and refuses enqueue: MISCONF Errors writing`)],
    ]);
    expect(clock.doubt).toHaveBeenCalled();
    await advance(STEADY);
    expect(logged.at(-1)).toEqual(['log', expect.stringMatching(/takes calls again, after \d/)]);
    expect(JSON.stringify(logged)).not.toContain('reached');
  });

  it('has one warning for what it refuses for a moment', async () => {
    const passing = jest.fn<() => Promise<string>>().mockResolvedValue('done').mockRejectedValueOnce(full());
    expect(await endOf(availability.withRetries('enqueue', passing))).toEqual({ value: 'done', after: 100 });
    expect(logged).toEqual([['warn', expect.stringContaining(`${ADDRESS} has refused enqueue (MISCONF Errors`)]]);
  });
});

/** What a probe says about the store now. */
async function problemOfPing(): Promise<string | undefined> {
  return availability.ping().then(
    () => undefined,
    (error: unknown) => problemOfEngine(error),
  );
}

describe('a probe', () => {
  it('says that a store without an answer cannot be reached', async () => {
    store.ping.mockRejectedValue(refused());
    await expect(problemOfPing()).resolves.toBe('The engine cannot be reached.');
  });

  it('says that a password is no longer valid', async () => {
    store.ping.mockRejectedValue(new ConfigurationError('The password is wrong.', { cause: forbidden() }));
    await expect(problemOfPing()).resolves.toMatch(/the password is no longer valid/);
  });

  it('says that a store answers which cannot be used as it is', async () => {
    store.ping.mockRejectedValue(new ConfigurationError('The tables are those of a later version.'));
    await expect(problemOfPing()).resolves.toBe('The engine answers, and refuses calls. The log says why.');
  });

  it('says that the application closes', async () => {
    availability.close();
    await expect(problemOfPing()).resolves.toBe('The application closes.');
  });

  it('leaves errors that say nothing about the engine to its caller', () => {
    expect(problemOfEngine(new ConfigurationError('shards of engine() names "x"'))).toBeUndefined();
    expect(problemOfEngine(new TypeError('a mistake'))).toBeUndefined();
  });
});

describe('an error of a connection', () => {
  it('is a warning when the store still answers', async () => {
    reportBrokenConnection(refused());
    await advance(0);
    expect(logged).toEqual([['warn', expect.stringMatching(/redis:\/\/store:6379 .*connect ECONNREFUSED/)]]);
  });

  it('is an outage when the store refuses connections', async () => {
    breakDown();
    reportBrokenConnection(refused());
    await advance(0);
    expect(levels()).toEqual(['error']);
  });

  it('is an outage when the store does not answer within two seconds', async () => {
    store.ping.mockReturnValue(NEVER);
    reportBrokenConnection(refused());
    await advance(1_999);
    expect(logged).toEqual([]);
    await advance(1);
    expect(levels()).toEqual(['error']);
  });

  it('has the store asked once for all connections that break together', async () => {
    for (let connection = 0; connection < 10; connection++) reportBrokenConnection(refused());
    await advance(0);
    expect(store.ping).toHaveBeenCalledTimes(1);
    expect(levels()).toEqual(['warn']);
  });

  it('has the store asked again for one that breaks later', async () => {
    for (const reason of ['connect ECONNREFUSED 1', 'connect ECONNREFUSED 2']) {
      reportBrokenConnection(new Error(reason));
      await advance(1);
    }
    expect(store.ping).toHaveBeenCalledTimes(2);
    expect(levels()).toEqual(['warn', 'warn']);
  });

  it('has nothing asked during an outage', async () => {
    breakDown();
    reportBrokenConnection(refused());
    await advance(0);
    store.ping.mockClear();
    reportBrokenConnection(refused());
    await advance(0);
    expect(store.ping).not.toHaveBeenCalled();
  });

  it('is a warning with its own words when it is no outage', () => {
    availability.reportError(new Error('OOM command not allowed'));
    expect(logged).toEqual([['warn', expect.stringMatching(/redis:\/\/store:6379.*OOM command not allowed/)]]);
    expect(store.ping).not.toHaveBeenCalled();
  });

  it('is logged once a minute while it repeats itself, and beside other errors', async () => {
    for (let second = 0; second < 60; second++) {
      availability.reportError(new Error('OOM command not allowed'));
      await advance(1_000);
    }
    expect(levels()).toEqual(['warn']);
    availability.reportError(new Error('READONLY'));
    availability.reportError(new Error('OOM command not allowed'));
    expect(levels()).toEqual(['warn', 'warn', 'warn']);
  });

  it('is not logged once the application closes', async () => {
    availability.close();
    availability.reportError(new Error('OOM command not allowed'));
    reportBrokenConnection(refused());
    await advance(5_000);
    expect(logged).toEqual([]);
  });
});

describe('whenReachable', () => {
  const action = jest.fn<() => Promise<void>>();

  beforeEach(() => void action.mockReset().mockResolvedValue());

  it('runs the action at once, and once, when the store can be reached', async () => {
    await availability.whenReachable(action);
    expect(action).toHaveBeenCalledTimes(1);
    await advance(60_000);
    expect(action).toHaveBeenCalledTimes(1);
    expect(logged).toEqual([]);
  });

  it('resolves after the first attempt, and runs the action later, once the store can be reached', async () => {
    breakDown();
    await availability.whenReachable(action);
    expect(levels()).toEqual(['error']);
    await advance(10_000);
    expect(action).not.toHaveBeenCalled();
    comeBack();
    await advance(1_000);
    expect(action).toHaveBeenCalledTimes(1);
    await advance(STEADY);
    expect(levels()).toEqual(['error', 'log']);
    await advance(60_000);
    expect(action).toHaveBeenCalledTimes(1);
  });

  it('waits for the first attempt however long connecting takes', async () => {
    let connect = () => {};
    store.connect.mockReturnValueOnce(new Promise((resolve) => (connect = resolve)));
    const ended = endOf(availability.whenReachable(action));
    await advance(60 * TIMEOUT);
    connect();
    expect((await ended).after).toBeGreaterThanOrEqual(60 * TIMEOUT);
    expect(action).toHaveBeenCalledTimes(1);
  });

  it.each([
    ['the store', () => store.connect.mockRejectedValueOnce(wrongPassword())],
    ['the action', () => action.mockRejectedValueOnce(wrongPassword())],
  ])('throws a ConfigurationError of %s in its first attempt, and tries no more', async (_, arrange) => {
    arrange();
    await expect(availability.whenReachable(action)).rejects.toThrow(ConfigurationError);
    await advance(60_000);
    expect(store.connect).toHaveBeenCalledTimes(1);
  });

  it('goes on after a ConfigurationError of a later attempt, because a server may be half up', async () => {
    store.connect.mockRejectedValueOnce(refused()).mockRejectedValueOnce(wrongPassword());
    await availability.whenReachable(action);
    await advance(1_000);
    expect(action).not.toHaveBeenCalled();
    await advance(1_000);
    expect(action).toHaveBeenCalledTimes(1);
  });

  it('logs an outage for a ConfigurationError of a later attempt, and its end', async () => {
    action.mockRejectedValueOnce(new Error('relation does not exist')).mockRejectedValueOnce(wrongPassword());
    await availability.whenReachable(action);
    await advance(1_000);
    expect(levels()).toEqual(['warn', 'error']);
    await advance(STEADY);
    expect(levels()).toEqual(['warn', 'error', 'log']);
  });

  it('runs the action again after an error that is no outage, and warns of it', async () => {
    action.mockRejectedValueOnce(new Error('relation does not exist'));
    await availability.whenReachable(action);
    expect(logged).toEqual([['warn', expect.stringContaining('relation does not exist')]]);
    await advance(999);
    expect(action).toHaveBeenCalledTimes(1);
    await advance(1);
    expect(action).toHaveBeenCalledTimes(2);
  });

  it('runs nothing once the application closes', async () => {
    breakDown();
    await availability.whenReachable(action);
    availability.close();
    expect(jest.getTimerCount()).toBe(0);
    comeBack();
    await advance(60_000);
    await availability.whenReachable(action);
    expect(action).not.toHaveBeenCalled();
  });
});

describe('ping()', () => {
  it('tries once, and callers of the same time share the attempt', async () => {
    await Promise.all([availability.ping(), availability.ping()]);
    expect(store.ping).toHaveBeenCalledTimes(1);
    store.ping.mockRejectedValue(refused());
    await expect(availability.ping()).rejects.toThrow(EngineUnavailableError);
    availability.close();
    await expect(availability.ping()).rejects.toThrow(EngineUnavailableError);
  });

  it('fails after five seconds without an answer', async () => {
    store.ping.mockReturnValue(NEVER);
    const ping = availability.ping().catch((error: unknown) => error);
    await jest.advanceTimersByTimeAsync(5_000);
    await expect(ping).resolves.toBeInstanceOf(EngineUnavailableError);
  });

  it('fails while the store answers and refuses other calls', async () => {
    const call = () => availability.withRetries('enqueue', () => Promise.reject(refused())).catch(() => undefined);
    for (let round = 0; round < 2; round++) {
      const ended = call();
      await jest.advanceTimersByTimeAsync(TIMEOUT);
      await ended;
      // The store answers the ping of the availability.
      await jest.advanceTimersByTimeAsync(1_500);
    }
    await expect(availability.ping()).rejects.toThrow('answers, but refuses other calls (enqueue)');
    await expect(problemOfPing()).resolves.toBe('The engine answers, and refuses calls. The log says why.');
    await availability.withRetries('enqueue', async () => undefined);
    await expect(availability.ping()).resolves.toBeUndefined();
  });
});
