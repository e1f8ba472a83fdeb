import type { EndMessages } from '../../driver.js';
import { foretellSuccess } from '../../jobs/job-success.js';
import type { PreparedMessage } from '../../message-bus.js';
import { endsAtOnce, type End, type PlainEnd, type Taken } from '../../lane/in-lane.js';
import type { NextJob } from '../../lane/taken-ahead.js';
import type { LaneRow } from './lane-statement.js';
import type { LaneSwitch } from './lane-switch.js';
import { toNextJob } from './taken-job.js';

/** Statements of one queue that may be under way at the same time. While one runs on the server, this process handles another. */
const STATEMENTS_AT_ONCE = 2;
/** With fewer jobs, calls of BullMQ's own function are faster, where the server plans the statement at each call. */
const FEWEST_JOBS = 4;
/** With more jobs, the messages follow the statement: then one message tells a watcher of all of its tasks. */
const MOST_WITH_MESSAGES = 3;
/** Own calls that may be under way at the same time. More of them would only wait for a connection. */
const OWN_CALLS_AT_ONCE = 8;
/** The most jobs in one statement. */
const MOST_JOBS = 500;

interface Asking {
  readonly tokens: readonly string[];
  resolve(taken: Taken): void;
  reject(error: unknown): void;
}

interface Waiting extends PlainEnd {
  resolve(end: End | PromiseLike<End>): void;
  reject(error: unknown): void;
}

export interface LaneDeps {
  readonly queue: string;
  /** The name of the worker. */
  readonly worker: string | null;
  /** Milliseconds for which a worker has a job that it takes. */
  readonly lockDuration: number;
  /** Milliseconds by which the clock of the server is ahead of the clock of this process. */
  readonly clockDifference: () => number;
  /** Runs the statement that stores ends and takes jobs, see lane-statement.ts. */
  readonly query: (params: readonly unknown[]) => Promise<readonly LaneRow[]>;
  /** Whether the server keeps the plan of the statement. */
  readonly isPlanned: () => boolean;
  readonly ends: Pick<EndMessages, 'endMessages' | 'endFailed'>;
  readonly isOutage: (error: unknown) => boolean;
  /** Takes a job in BullMQ's own way. */
  readonly takeAlone: (token: string) => Promise<unknown[]>;
  readonly laneSwitch: LaneSwitch;
}

/**
 * Stores the ends of the jobs of one worker together: those of one turn of the event loop, and those that come while statements
 * are under way, with one statement that also takes the next jobs. No end waits for others to come.
 */
export class Lane {
  private waiting: Waiting[] = [];
  private asking: Asking[] = [];
  private statements = 0;
  private ownCalls = 0;
  private isScheduled = false;

  constructor(private readonly deps: LaneDeps) {}

  end(end: PlainEnd): Promise<End> {
    return new Promise((resolve, reject) => {
      // V8 makes the object much faster than one that begins with the parts of another.
      this.waiting.push({ resolve, reject, ...end });
      this.schedule();
    });
  }

  /** Takes up to one job for each token, with the statement that stores the ends of this turn. */
  take(tokens: readonly string[]): Promise<Taken> {
    return new Promise((resolve, reject) => {
      this.asking.push({ tokens, resolve, reject });
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.isScheduled || this.waiting.length + this.asking.length === 0) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      this.send();
    });
  }

  private send(): void {
    const { length } = this.waiting;
    if (length >= FEWEST_JOBS || this.asking.length > 0 || (length > 0 && this.deps.isPlanned())) {
      if (this.statements === STATEMENTS_AT_ONCE) return;
      this.statements++;
      void this.run(this.waiting.splice(0, endsAtOnce(this.waiting, MOST_JOBS)), this.asking.splice(0)).finally(() => {
        this.statements--;
        this.schedule();
      });
      this.schedule();
    } else if (this.statements === 0 && this.ownCalls + length <= OWN_CALLS_AT_ONCE) {
      for (const waiting of this.waiting.splice(0)) this.storeAlone(waiting);
    }
  }

  private storeAlone(waiting: Waiting): void {
    this.deps.ends.endFailed(waiting.id);
    this.ownCalls++;
    const end = waiting.storeAlone();
    waiting.resolve(end);
    const done = () => {
      this.ownCalls--;
      this.schedule();
    };
    end.then(done, done);
  }

  private async run(ends: readonly Waiting[], asking: readonly Asking[]): Promise<void> {
    const { queue, query, isOutage, laneSwitch } = this.deps;
    try {
      const [row] = await query(this.params(ends, asking));
      if (!row) throw new Error('The statement gave no row.');
      if (!row.fits) laneSwitch.turnOff();
      if (row.limited) laneSwitch.rest(queue);
      this.answer(ends, asking, row);
    } catch (error) {
      if (isOutage(error)) {
        for (const { id } of ends) this.deps.ends.endFailed(id);
        for (const { reject } of [...ends, ...asking]) reject(error);
        return;
      }
      // One result that cannot be stored spoils the whole statement, so each end gets a call and an error of its own.
      if (!laneSwitch.turnOffIfUnable(error)) laneSwitch.rest(queue);
      for (const waiting of ends) this.storeAlone(waiting);
      for (const { resolve } of asking) resolve({ jobs: new Map(), none: undefined });
    }
  }

  private params(ends: readonly Waiting[], asking: readonly Asking[]): unknown[] {
    const { queue, worker, lockDuration, clockDifference } = this.deps;
    const difference = clockDifference();
    const messages = ends.length > MOST_WITH_MESSAGES ? [] : ends.flatMap((end) => this.messagesOf(end, difference));
    return [
      queue,
      ends.map(({ id }) => id),
      ends.map(({ token }) => token),
      ends.map(({ result }) => result),
      ends.map(({ finishedOn }) => `${finishedOn + difference}`),
      ends.filter(({ wantsNext }) => wantsNext).map(({ token }) => token),
      asking.flatMap(({ tokens }) => tokens),
      Date.now() + difference,
      lockDuration,
      worker,
      messages.map(({ id }) => id),
      messages.map(({ channel }) => channel),
      messages.map(({ message }) => message),
    ];
  }

  /** The messages to the watchers of a job that the statement is to end. */
  private messagesOf(
    { id, job, value, finishedOn }: PlainEnd,
    difference: number,
  ): (PreparedMessage & { id: string })[] {
    const messages = this.deps.ends.endMessages(id, () => foretellSuccess(job, value, finishedOn + difference));
    return messages.map((message) => ({ ...message, id }));
  }

  private answer(ends: readonly Waiting[], asking: readonly Asking[], row: LaneRow): void {
    const stored = new Set(row.ended);
    const jobs = new Map(row.taken?.map((job): [string, NextJob] => [job.lock_token, toNextJob(job)]));
    const none = row.fits && !row.refers ? [null, '', 0, Number(row.next_delay ?? 0)] : undefined;
    for (const waiting of ends) {
      const { id, token, finishedOn, wantsNext, resolve } = waiting;
      if (!stored.has(id)) this.storeAlone(waiting);
      else if (!wantsNext) resolve({ result: undefined, finishedOn });
      else {
        const result = jobs.get(token) ?? none;
        resolve(result ? { result, finishedOn } : this.takeAlone(token, finishedOn));
      }
    }
    for (const { resolve } of asking) resolve({ jobs, none });
  }

  /** The end is stored, so an error must not reach the worker, which would try to store it again. */
  private async takeAlone(token: string, finishedOn: number): Promise<End> {
    const result = await this.deps.takeAlone(token).catch(() => undefined);
    return { result, finishedOn };
  }
}
