import type { SelfWaitError } from '../errors.js';
import type { RunWait } from '../results/run-waits.js';
import type { TaskRun } from './task-context.js';

/** The most waits that one check looks at. */
const MOST_LOOKS = 50;

/** A running task that waits for another one. */
export type WaitingRun = Pick<TaskRun, 'id' | 'name' | 'queue' | 'calls' | 'isOver'>;

/** A wait for a task that needs one of the places. */
export interface WaitForPlace {
  readonly run: WaitingRun;
  /** The awaited task. */
  readonly id: string;
  /** The queue of the awaited task. */
  readonly queue: string;
}

export interface WaitsForPlacesDeps {
  /** How many tasks run in the places at once. */
  readonly places: number;
  /** Whether the awaited task waits for a place. A task that runs has one, and an ended one needs none. */
  readonly needsPlace: (wait: WaitForPlace) => Promise<boolean>;
  /** Whether another process runs the tasks of a queue. */
  readonly isConsumedElsewhere: (queue: string) => Promise<boolean>;
  /** How many tasks may run at once in all processes together; `undefined` for any number. */
  readonly sharedLimit?: () => Promise<number | undefined>;
  /** @param kept what the waiting tasks keep: the places of this process, or the places of all processes */
  readonly error: (wait: WaitForPlace, kept: KeptPlaces) => SelfWaitError;
}

export interface KeptPlaces {
  readonly places: number;
  readonly of: 'this process' | 'all processes';
}

interface OpenWait extends WaitForPlace {
  readonly failure: AbortController;
}

/**
 * The waits of running tasks, which keep their places meanwhile, for tasks that need a place of the same kind. When waits keep all places,
 * and no other process has one, the newest wait that can never end gets an error. It need not be the one that has just begun: that one
 * may wait for a task that runs, and waits itself since an earlier moment. The same holds for a limit of all processes, when waits of this
 * process keep all that it allows.
 */
export class WaitsForPlaces {
  /** In the order in which they began. */
  private readonly waits = new Set<OpenWait>();
  /** The runs that wait, with the number of their waits. */
  private readonly runs = new Map<WaitingRun, number>();

  /** The check of the limit that is under way, and whether a wait has begun since. */
  private limitCheck: { isOutdated: boolean } | undefined;

  constructor(private readonly deps: WaitsForPlacesDeps) {}

  begin(wait: WaitForPlace): RunWait {
    const open: OpenWait = { ...wait, failure: new AbortController() };
    this.waits.add(open);
    this.runs.set(wait.run, (this.runs.get(wait.run) ?? 0) + 1);
    const own: KeptPlaces = { places: this.deps.places, of: 'this process' };
    const areAllKept = this.kept(own);
    if (!areAllKept) this.checkSharedLimit();
    return {
      checked: areAllKept ? this.check(own, open) : Promise.resolve(),
      signal: open.failure.signal,
      end: () => this.end(open),
    };
  }

  /** Whether waits keep all of these places. A run that is over keeps none, although work that it left behind may still wait. */
  private kept({ places }: KeptPlaces): boolean {
    return this.runs.size >= places && [...this.runs.keys()].filter((run) => !run.isOver?.()).length >= places;
  }

  /** The limit is read while the caller waits already. */
  private checkSharedLimit(): void {
    const { sharedLimit } = this.deps;
    if (!sharedLimit) return;
    if (this.limitCheck) {
      this.limitCheck.isOutdated = true;
      return;
    }
    const check = { isOutdated: false };
    this.limitCheck = check;
    const end = () => {
      this.limitCheck = undefined;
      if (check.isOutdated) this.checkSharedLimit();
    };
    sharedLimit()
      .then((places) => (places === undefined ? undefined : this.check({ places, of: 'all processes' })))
      // The next wait reads the limit again.
      .then(end, end);
  }

  private async check(places: KeptPlaces, begun?: OpenWait): Promise<void> {
    if (!this.kept(places)) return;
    const open = [...this.waits].filter(({ run }) => !run.isOver?.());
    for (const wait of open.slice(-MOST_LOOKS).toReversed()) {
      if (places.of === 'this process' && (await this.deps.isConsumedElsewhere(wait.queue))) continue;
      if (!(await this.deps.needsPlace(wait))) continue;
      // Another wait may have ended or failed in the meantime, so that there is a place.
      if (!this.kept(places) || !this.waits.has(wait)) return;
      const error = this.deps.error(wait, places);
      wait.failure.abort(error);
      if (wait === begun) throw error;
      return;
    }
  }

  private end(wait: OpenWait): void {
    if (!this.waits.delete(wait)) return;
    const count = (this.runs.get(wait.run) ?? 1) - 1;
    if (count > 0) this.runs.set(wait.run, count);
    else this.runs.delete(wait.run);
  }
}
