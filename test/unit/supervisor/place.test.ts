import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { ChildListener, ChildProcess, Exit } from '../../../lib/supervisor/child-process.js';
import type { Application, BootFailure } from '../../../lib/supervisor/messages.js';
import { Place } from '../../../lib/supervisor/place.js';

/** A process that does what the test says. */
class FakeProcess {
  readonly startedAt = performance.now();
  application: Application | undefined;
  isStopping = false;
  readonly status = { attempts: 0, running: 0, memory: 0 };
  readonly stops: (number | null | undefined)[] = [];
  private end: () => void = () => undefined;
  readonly gone = new Promise<void>((resolve) => (this.end = resolve));

  constructor(
    readonly pid: number,
    private readonly listener: ChildListener,
  ) {}

  get isReady(): boolean {
    return this.application !== undefined && !this.isStopping;
  }

  comeUp(isExclusive = false): void {
    this.application = { queues: ['default'], place: 'here', grace: 30_000, isExclusive, took: 1 };
    this.listener.onReady(this.application);
  }

  use(memory: number): void {
    this.listener.onStatus({ attempts: 0, running: 0, memory });
  }

  wearOut(): void {
    this.isStopping = true;
    this.listener.onStopping('tasks');
  }

  nearlyWearOut(): void {
    this.listener.onNearlyWorn();
  }

  exit(exit: Partial<Exit> = {}): void {
    this.listener.onExit({ code: 0, signal: null, failure: undefined, ...exit });
    this.end();
  }

  stop(grace?: number | null): void {
    this.isStopping = true;
    this.stops.push(grace);
  }

  kill(): void {
    this.exit({ code: null, signal: 'SIGKILL' });
  }
}

let processes: FakeProcess[];
let place: Place;
let failures: BootFailure[];
const lines: string[] = [];
const last = () => processes.at(-1) as FakeProcess;

beforeEach(() => {
  jest.useFakeTimers();
  processes = [];
  failures = [];
  lines.length = 0;
  place = new Place({
    start: (listener) => {
      const process = new FakeProcess(processes.length + 1, listener);
      processes.push(process);
      return process as unknown as ChildProcess;
    },
    log: {
      ready: ({ pid }) => lines.push(`${pid} ready`),
      replaces: ({ pid }, reason) => lines.push(`${pid} replaced: ${reason}`),
      stops: ({ pid }, why) => lines.push(`${pid} stops: ${why}`),
      ended: ({ pid }, _, again) => lines.push(`${pid} ended${again === undefined ? '' : `, again in ${again}`}`),
      staysWithOld: () => lines.push('stays with the old one'),
    },
    maxMemory: 1_000,
    givesUp: (failure) => {
      failures.push(failure);
      return false;
    },
    onGone: () => undefined,
  });
  place.start();
});
afterEach(() => {
  jest.useRealTimers();
});

describe('a process that dies', () => {
  it('is started again after pauses that grow, until one lives for long', async () => {
    last().comeUp();
    for (const pause of [250, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      const known = processes.length;
      last().exit({ code: 1 });
      expect(lines.at(-1)).toBe(`${known} ended, again in ${pause}`);
      await jest.advanceTimersByTimeAsync(pause - 1);
      expect(processes.length).toBe(known);
      await jest.advanceTimersByTimeAsync(1);
      expect(processes.length).toBe(known + 1);
      last().comeUp();
    }
    await jest.advanceTimersByTimeAsync(60_000);
    last().exit({ code: 1 });
    expect(lines.at(-1)).toMatch(/again in 250$/);
  });

  it('counts a boot that fails, until one succeeds', async () => {
    for (let boot = 1; boot <= 3; boot++) {
      last().exit({ code: 1, failure: { message: 'no', stack: undefined, isLasting: false } });
      expect(place.failedBoots).toBe(boot);
      await jest.advanceTimersByTimeAsync(30_000);
    }
    expect(failures.map(({ message }) => message)).toEqual(['no', 'no', 'no']);
    last().comeUp();
    expect(place.failedBoots).toBe(0);
  });
});

describe('a replacement', () => {
  it('boots before the old process stops, which gets the grace', async () => {
    const [old] = processes as [FakeProcess];
    old.comeUp();
    const replaced = place.replace('restart', 5_000);
    expect(old.stops).toEqual([]);
    expect(place.isReady).toBe(true);
    last().comeUp();
    expect(await replaced).toBe(true);
    expect(old.stops).toEqual([5_000]);
    expect(place.isReady).toBe(true);
    old.exit();
    expect(processes.length).toBe(2);
  });

  it('that does not come up leaves the old process as it is', async () => {
    const [old] = processes as [FakeProcess];
    old.comeUp();
    const replaced = place.replace('restart');
    last().exit({ code: 1, failure: { message: 'no', stack: undefined, isLasting: true } });
    expect(await replaced).toBe(false);
    expect(old.stops).toEqual([]);
    expect(lines.at(-1)).toBe('stays with the old one');
    await jest.advanceTimersByTimeAsync(60_000);
    expect(processes.length).toBe(2);
  });

  it('takes the place of an old process that dies meanwhile', async () => {
    const [old] = processes as [FakeProcess];
    old.comeUp();
    const replaced = place.replace('restart');
    old.exit({ code: null, signal: 'SIGKILL' });
    await jest.advanceTimersByTimeAsync(60_000);
    expect(processes.length).toBe(2);
    last().comeUp();
    expect(await replaced).toBe(true);
    expect(place.isReady).toBe(true);
  });

  it('of an exclusive store starts when the old process is gone', async () => {
    const [old] = processes as [FakeProcess];
    old.comeUp(true);
    const replaced = place.replace('restart', 5_000);
    expect(old.stops).toEqual([5_000]);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(processes.length).toBe(1);
    old.exit();
    await jest.advanceTimersByTimeAsync(0);
    expect(processes.length).toBe(2);
    last().comeUp(true);
    expect(await replaced).toBe(true);
  });
});

describe('recycling', () => {
  it('starts one successor for too much memory, and lets the tasks of the old process take their time', () => {
    const [old] = processes as [FakeProcess];
    old.comeUp();
    old.use(1_000);
    expect(processes.length).toBe(1);
    old.use(1_001);
    old.use(1_002);
    expect(processes.length).toBe(2);
    last().comeUp();
    expect(old.stops).toEqual([null]);
    old.use(2_000);
    expect(processes.length).toBe(2);
  });

  it('starts the successor of a worn process before it is worn', async () => {
    const [old] = processes as [FakeProcess];
    old.comeUp();
    old.nearlyWearOut();
    expect(processes.length).toBe(2);
    old.wearOut();
    expect(processes.length).toBe(2);
    last().comeUp();
    expect(place.isReady).toBe(true);
    old.exit();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(processes.length).toBe(2);
  });
});

describe('once it stops, a place', () => {
  it('stops all of its processes, also those that end already, and starts no more', async () => {
    const [old] = processes as [FakeProcess];
    old.comeUp();
    old.wearOut();
    const [, next] = processes as [FakeProcess, FakeProcess];
    const stopped = place.stop(10);
    expect([old.stops, next.stops]).toEqual([[10], [10]]);
    old.exit();
    next.exit({ code: 1 });
    await stopped;
    await jest.advanceTimersByTimeAsync(60_000);
    expect(processes.length).toBe(2);
    expect(await place.replace('restart')).toBe(false);
  });
});
