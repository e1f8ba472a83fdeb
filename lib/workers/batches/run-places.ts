import type { Interruption } from '../../engine/interruption.js';
import type { PlacePort, RunPlace } from '../../engine/ports/place-port.js';

export interface RunPlacesDeps {
  /** The most runs of a queue at the same time in this process. */
  readonly concurrency: (queue: string) => number;
  /** The places that all processes share; `undefined` for a queue whose global concurrency the engine counts by itself. */
  readonly shared: (queue: string) => PlacePort | undefined;
}

interface QueueOfRuns {
  running: number;
  readonly waiting: (() => void)[];
}

/** Places for runs: as many for each queue as this process runs at once, and as many as all processes may run together. */
export class RunPlaces {
  private readonly queues = new Map<string, QueueOfRuns>();

  constructor(private readonly deps: RunPlacesDeps) {}

  /**
   * Whether the runs of a queue take places. In the other queues, the engine gives this process no more tasks than it may run at
   * once.
   */
  counts(queue: string): boolean {
    return this.deps.shared(queue) !== undefined;
  }

  /** Takes a place: at once when there is one, or as soon as it comes, in the order of the calls. Never rejects. */
  take(queue: string): RunPlace | Promise<RunPlace> {
    const own = this.takeOwn(queue);
    const shared = this.deps.shared(queue);
    if (!shared) return own;
    return (async () => {
      const mine = await own;
      const place = await shared.take(queue);
      return onceBack(() => {
        place.giveBack();
        mine.giveBack();
      });
    })();
  }

  /** Takes a place for a run; `undefined` when one of the interruptions is requested before there is a place. */
  async takeUnless(interruptions: readonly Interruption[], queue: string): Promise<RunPlace | undefined> {
    if (interruptions.some(({ isRequested }) => isRequested)) return undefined;
    const taking = Promise.resolve(this.take(queue));
    return new Promise((resolve) => {
      let isInterrupted = false;
      const stops = interruptions.map((interruption) =>
        interruption.onRequest(() => {
          isInterrupted = true;
          resolve(undefined);
        }),
      );
      void taking.then((place) => {
        for (const stop of stops) stop();
        if (isInterrupted) place.giveBack();
        else resolve(place);
      });
    });
  }

  private takeOwn(queue: string): RunPlace | Promise<RunPlace> {
    const runs = this.queues.get(queue) ?? { running: 0, waiting: [] };
    this.queues.set(queue, runs);
    const place = onceBack(() => {
      runs.running--;
      const next = runs.waiting.shift();
      if (next) next();
      else if (runs.running === 0) this.queues.delete(queue);
    });
    const begin = () => {
      runs.running++;
      return place;
    };
    if (runs.running < this.deps.concurrency(queue)) return begin();
    return new Promise((resolve) => runs.waiting.push(() => resolve(begin())));
  }
}

function onceBack(giveBack: () => void): RunPlace {
  let isBack = false;
  return {
    giveBack: () => {
      if (isBack) return;
      isBack = true;
      giveBack();
    },
  };
}
