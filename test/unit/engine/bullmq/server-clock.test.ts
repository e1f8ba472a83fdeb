import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ServerClock } from '../../../../lib/engine/bullmq/server-clock.js';

const HOUR = 3_600_000;
const NOON = Date.UTC(2026, 5, 1, 12);
const OUTAGE = new Error('connect ECONNREFUSED');

/** The time that passes for everybody; the clocks of the server and of this process differ from it. */
let passed = 0;
let serverAhead = 0;
let ownAhead = 0;
/** The milliseconds of each way of the next round trips. */
let trips: [there: number, back: number][] = [];
let answers: (Error | undefined)[] = [];
const read = jest.fn(async () => {
  const [there, back] = trips.shift() ?? [0, 0];
  const error = answers.shift();
  if (error) throw error;
  passed += there;
  const time = NOON + passed + serverAhead;
  passed += back;
  return time;
});
const lines: string[] = [];
let clock: ServerClock;

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['performance'] });
  passed = serverAhead = ownAhead = 0;
  trips = [];
  answers = [];
  read.mockClear();
  lines.length = 0;
  for (const level of ['log', 'warn'] as const) {
    jest.spyOn(Logger.prototype, level).mockImplementation((line: string) => void lines.push(line));
  }
  clock = newClock();
});
afterEach(() => {
  clock.close();
  jest.restoreAllMocks();
  jest.useRealTimers();
});

function newClock(): ServerClock {
  return new ServerClock({
    address: 'Redis at store:6379',
    read,
    isOutage: (error) => error === OUTAGE,
    wallClock: () => Math.floor(NOON + passed + ownAhead),
    monotonic: () => passed,
  });
}

const serverNow = () => NOON + passed + serverAhead;

describe('a measurement', () => {
  it('makes the clock tell the time of the server, whatever the clock of the process says', async () => {
    for (const ahead of [-24 * HOUR, -HOUR, 0, HOUR, 24 * HOUR]) {
      serverAhead = ahead;
      await clock.measure();
      expect(clock.now()).toBe(serverNow());
      expect(clock.difference).toBe(ahead);
      passed += 500;
      expect(clock.now()).toBe(serverNow());
    }
  });

  it('is not trusted before, and trusted afterwards', async () => {
    expect(clock.isTrusted).toBe(false);
    await clock.measure();
    expect(clock.isTrusted).toBe(true);
  });

  it('makes the time known once and for all, as far as that goes', async () => {
    answers = [OUTAGE];
    await clock.measure().catch(() => undefined);
    expect(clock.isUnknown).toBe(true);
    await clock.measure();
    expect(clock.isUnknown).toBe(false);
    clock.doubt();
    ownAhead += HOUR;
    expect([clock.isTrusted, clock.isUnknown]).toEqual([false, false]);
  });

  it('takes the middle of the round trip', async () => {
    serverAhead = HOUR;
    trips = [[40, 40]];
    await clock.measure();
    expect(clock.difference).toBe(HOUR);
  });

  it('asks again when an answer took long, and takes the fastest of three', async () => {
    serverAhead = HOUR;
    trips = [
      [900, 0],
      [150, 0],
      [400, 0],
    ];
    await clock.measure();
    expect(read).toHaveBeenCalledTimes(3);
    expect(Math.abs(clock.difference - HOUR)).toBeLessThanOrEqual(75);
  });

  it('keeps a difference that it does not contradict, so that the time makes no small steps', async () => {
    trips = [[90, 2]];
    await clock.measure();
    expect(clock.difference).toBe(0);
  });

  it('is shared by all callers', async () => {
    await Promise.all([clock.measure(), clock.measure()]);
    expect(read).toHaveBeenCalledTimes(1);
  });

  it('is repeated every 30 s, also after an outage', async () => {
    await clock.measure();
    answers = [OUTAGE];
    await jest.advanceTimersByTimeAsync(30_000);
    serverAhead = 5_000;
    await jest.advanceTimersByTimeAsync(30_000);
    expect(read).toHaveBeenCalledTimes(3);
    expect(clock.now()).toBe(serverNow());
    clock.close();
    await jest.advanceTimersByTimeAsync(90_000);
    expect(read).toHaveBeenCalledTimes(3);
  });

  it('rejects while the server cannot be reached, and the clock stays untrusted', async () => {
    answers = [OUTAGE];
    await expect(clock.measure()).rejects.toBe(OUTAGE);
    expect(clock.isTrusted).toBe(false);
  });

  it('leaves the clock of the process in force when the server refuses to tell its time, and says so once', async () => {
    const refusal = () => new Error("NOPERM this user has no permissions to run the 'time' command");
    answers = [refusal(), refusal()];
    await clock.measure();
    await clock.measure();
    expect([clock.isTrusted, clock.isUnknown]).toEqual([true, false]);
    ownAhead = HOUR;
    expect(clock.now()).toBe(NOON + passed + HOUR);
    expect(clock.isTrusted).toBe(true);
    expect(lines).toEqual([expect.stringContaining('Redis at store:6379 does not tell its time (NOPERM')]);
  });

  it('keeps the known difference while the server refuses to tell its time, also when the clock of the process is changed', async () => {
    serverAhead = 24 * HOUR;
    await clock.measure();
    answers = [new Error("NOPERM this user has no permissions to run the 'time' command")];
    await clock.measure();
    expect([clock.difference, clock.isTrusted]).toEqual([24 * HOUR, true]);
    ownAhead += HOUR;
    expect(clock.now()).toBe(serverNow());
    await clock.measure();
    expect(clock.now()).toBe(serverNow());
    expect(lines.filter((line) => line.includes('does not tell its time'))).toEqual([
      expect.stringContaining('so the difference that was measured before counts'),
    ]);
  });
});

describe('when the clock of the process is changed', () => {
  it.each([HOUR, -HOUR, 24 * HOUR])('by %i ms, the time goes on as before', async (change) => {
    await clock.measure();
    ownAhead += change;
    passed += 10;
    expect(clock.now()).toBe(serverNow());
  });

  it('the clock is untrusted until it is measured again, and one line says so', async () => {
    await clock.measure();
    ownAhead += HOUR;
    expect(clock.isTrusted).toBe(false);
    expect(lines).toEqual([expect.stringContaining('was put forward by 1 h.')]);
    await clock.measure();
    expect(clock.isTrusted).toBe(true);
    expect(clock.now()).toBe(serverNow());
    expect(lines[1]).toContain('1 h ahead of that of Redis at store:6379');
  });

  it('during a measurement, the measurement is right', async () => {
    read.mockImplementationOnce(async () => {
      ownAhead -= 24 * HOUR;
      return serverNow();
    });
    await clock.measure();
    expect(clock.now()).toBe(serverNow());
  });

  it('small corrections are followed', async () => {
    await clock.measure();
    ownAhead += 100;
    expect(clock.isTrusted).toBe(true);
    expect(lines).toEqual([]);
  });
});

describe('the time', () => {
  it('stands still instead of going back by less than a second', async () => {
    await clock.measure();
    const before = clock.now();
    serverAhead = -400;
    await clock.measure();
    passed += 100;
    expect(clock.now()).toBe(before);
    passed += 400;
    expect(clock.now()).toBe(serverNow());
  });

  it('follows a server whose clock is put back by more', async () => {
    await clock.measure();
    clock.now();
    serverAhead = -HOUR;
    await clock.measure();
    expect(clock.now()).toBe(serverNow());
  });
});

describe('the log', () => {
  it('tells a considerable difference once, again when it has changed by much, and its end', async () => {
    const differences = [600, 90_000, 90_200, -2 * HOUR, 0, 0];
    for (const ahead of differences) {
      serverAhead = ahead;
      await clock.measure();
    }
    expect(lines.map((line) => line.split('.')[0])).toEqual([
      'The clock of this process is 1',
      'The clock of this process is 2 h ahead of that of Redis at store:6379',
      'The clock of this process agrees with that of Redis at store:6379 again',
    ]);
    expect(lines[0]).toContain('is 1.5 min behind that of Redis at store:6379.');
  });
});
