import { endsAtOnce, type End, type PlainEnd, type Taken } from '../../lane/in-lane.js';
import type { NextJob } from '../../lane/taken-ahead.js';
import type { LaneReply, TakenJob } from './lane-script.js';

/** The most jobs that one script ends or takes. Redis serves nothing else meanwhile, for some 2 ms. */
export const MOST_JOBS = 50;
/** Scripts under way at the same time. While Redis runs one, this process handles the answer of another. */
const SCRIPTS_AT_ONCE = 2;

interface Waiting extends PlainEnd {
  resolve(end: End | PromiseLike<End>): void;
  reject(error: unknown): void;
}

export interface RedisLaneDeps {
  /** Milliseconds by which the clock of the server is ahead of the clock of this process. */
  readonly clockDifference: () => number;
  /** Runs the script. @param ends for each end the five arguments that it gets */
  readonly run: (now: number, ends: readonly (readonly string[])[], tokens: readonly string[]) => Promise<LaneReply>;
  /** What BullMQ's worker gets for the fields of a job's hash. */
  readonly toJob: (fields: string[], id: string) => NextJob;
  readonly isOutage: (error: unknown) => boolean;
  /** Called before a script is sent that ends this job alone. Ends that are stored together have news together, afterwards. */
  readonly onEndAlone: (id: string) => void;
  /** Takes a job in BullMQ's own way. */
  readonly takeAlone: (token: string) => Promise<NextJob>;
  /** Called with the error of a server that does not run the script. The lane is not used any more. */
  readonly onRefused: (error: Error) => void;
}

/**
 * Stores the ends that come in one turn of the event loop with few scripts that also take the next jobs. BullMQ runs a script for
 * each of them.
 */
export class RedisLane {
  private waiting: Waiting[] = [];
  private scripts = 0;
  /** Ends in these scripts. */
  private sent = 0;
  private isScheduled = false;

  constructor(private readonly deps: RedisLaneDeps) {}

  end(end: PlainEnd): Promise<End> {
    return new Promise((resolve, reject) => {
      // V8 makes the object much faster than one that begins with the parts of another.
      this.waiting.push({ resolve, reject, ...end });
      this.schedule();
    });
  }

  /** Takes up to one job for each token. */
  async take(tokens: readonly string[]): Promise<Taken> {
    try {
      return this.takenIn(await this.deps.run(this.now(), [], tokens.slice(0, MOST_JOBS)));
    } catch (error) {
      this.refuse(error);
      return { jobs: new Map(), none: undefined };
    }
  }

  /**
   * Takes a job for a token.
   *
   * @param run sends the script, in place of `run` of the lane
   * @returns the answer; `undefined` when the worker has to ask in BullMQ's own way: the queue has a limit, or the script failed
   */
  async takeOne(token: string, run: RedisLaneDeps['run']): Promise<NextJob | undefined> {
    try {
      const { jobs, none } = this.takenIn(await run(this.now(), [], [token]));
      return jobs.get(token) ?? none;
    } catch (error) {
      if (!this.deps.isOutage(error)) this.deps.onRefused(error as Error);
      return undefined;
    }
  }

  private schedule(): void {
    if (this.isScheduled || this.waiting.length === 0) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      this.send();
    });
  }

  private send(): void {
    while (this.waiting.length > 0 && this.scripts < SCRIPTS_AT_ONCE) {
      const ends = this.waiting.splice(0, endsAtOnce(this.waiting, this.sizeOfNext()));
      this.scripts++;
      this.sent += ends.length;
      void this.store(ends).finally(() => {
        this.scripts--;
        this.sent -= ends.length;
        this.schedule();
      });
    }
  }

  /** One script never takes all ends: Redis and this process would then take turns, although they can work side by side. */
  private sizeOfNext(): number {
    return Math.min(Math.ceil((this.waiting.length + this.sent) / SCRIPTS_AT_ONCE), MOST_JOBS);
  }

  private async store(ends: readonly Waiting[]): Promise<void> {
    const difference = this.deps.clockDifference();
    const args = ends.map(({ id, token, result, finishedOn, wantsNext }) => {
      const endedAt = `${finishedOn + difference}`;
      return [id, token, result, endedAt, wantsNext ? '1' : '0'];
    });
    try {
      if (ends.length === 1) this.deps.onEndAlone((ends[0] as Waiting).id);
      const reply = await this.deps.run(this.now(), args, []);
      this.answer(ends, reply[0], this.takenIn(reply));
    } catch (error) {
      if (this.deps.isOutage(error)) for (const { reject } of ends) reject(error);
      else {
        this.refuse(error);
        for (const { resolve, storeAlone } of ends) resolve(storeAlone());
      }
    }
  }

  private answer(ends: readonly Waiting[], left: readonly string[], { jobs, none }: Taken): void {
    for (const { id, token, finishedOn, wantsNext, storeAlone, resolve } of ends) {
      if (left.includes(id)) resolve(storeAlone());
      else if (!wantsNext) resolve({ result: undefined, finishedOn });
      else {
        const result = jobs.get(token) ?? none;
        resolve(result ? { result, finishedOn } : this.takeAlone(token, finishedOn));
      }
    }
  }

  /** The end is stored, so an error must not reach the worker, which would try to store it again. */
  private async takeAlone(token: string, finishedOn: number): Promise<End> {
    const result = await this.deps.takeAlone(token).catch(() => undefined);
    return { result, finishedOn };
  }

  private takenIn([, taken, refers, nextDelay]: LaneReply): Taken {
    const list = taken === '' ? [] : (JSON.parse(taken) as TakenJob[]);
    const jobs = new Map(list.map(([token, id, fields]) => [token, this.deps.toJob(fields, id)] as const));
    return { jobs, none: refers ? undefined : [undefined, '', 0, Number(nextDelay)] };
  }

  private refuse(error: unknown): void {
    if (this.deps.isOutage(error)) throw error;
    this.deps.onRefused(error as Error);
  }

  private now(): number {
    return Date.now() + this.deps.clockDifference();
  }
}
