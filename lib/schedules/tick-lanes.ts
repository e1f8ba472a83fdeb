import type { Engine } from '../engine/engine.js';
import type { Topology } from '../engine/shards/topology.js';
import type { DueTick } from './schedule-book.js';
import type { Schedule } from './schedule.js';
import type { TicksRun } from './tick-runner.js';

/** Milliseconds from a failure to the next attempt. */
const RETRY_DELAY = 1_000;
/** Milliseconds. A shard whose answer took longer could not be reached for a while. */
const SLOW_ANSWER = 2_000;

export interface TickLanesDeps {
  readonly engine: Pick<Engine, 'now' | 'shards'>;
  readonly topology: Topology;
  /** Runs the ticks of one shard that no process has handled. */
  readonly run: (ticks: readonly DueTick[]) => Promise<TicksRun>;
  /** Called when the ticks of a shard may be run again. */
  readonly onEnd: () => void;
  readonly onError: (error: unknown) => void;
}

interface Lane {
  isBusy: boolean;
  /** Whether the shard could not be reached the last time. */
  isDown: boolean;
  /** By `performance.now()`. */
  notBefore: number;
  /** Ticks before this time were missed, because the shard could not be reached. */
  since: number;
}

/**
 * Runs the ticks of each shard by themselves, so that a shard that cannot be reached delays the schedules of no other. For the schedules of
 * such a shard the same is true as for all schedules while a store without shards cannot be reached: the ticks of that time count as missed.
 */
export class TickLanes {
  private readonly lanes = new Map<string, Lane>();

  constructor(private readonly deps: TickLanesDeps) {}

  /** Whether there are several shards. Without them the clock runs all ticks in its pass. */
  get areUsed(): boolean {
    return this.deps.topology.shards.length > 1;
  }

  /** Whether the ticks of a schedule have to wait, because earlier ones of its shard are under way or have just failed. */
  isHeld(schedule: Schedule): boolean {
    if (!this.areUsed) return false;
    const { isBusy, notBefore } = this.laneOf(schedule);
    return isBusy || performance.now() < notBefore;
  }

  /** The time before which ticks of a schedule were missed; `-Infinity` when its shard was never missing. */
  since(schedule: Schedule): number {
    return this.areUsed ? this.laneOf(schedule).since : -Infinity;
  }

  /** Runs due ticks, those of each shard by themselves. Does not wait for them. */
  start(due: readonly DueTick[]): void {
    const groups = new Map<string, DueTick[]>();
    for (const tick of due) {
      const shard = this.shardOf(tick.schedule);
      const group = groups.get(shard);
      if (group) group.push(tick);
      else groups.set(shard, [tick]);
    }
    for (const [shard, ticks] of groups) {
      const lane = this.laneOf((ticks[0] as DueTick).schedule);
      lane.isBusy = true;
      void this.work(lane, shard, ticks)
        .catch((error: unknown) => {
          this.fail(lane);
          this.deps.onError(error);
        })
        .finally(() => {
          lane.isBusy = false;
          this.deps.onEnd();
        });
    }
  }

  private async work(lane: Lane, shard: string, ticks: readonly DueTick[]): Promise<void> {
    const { engine, run } = this.deps;
    if (lane.isDown) {
      const isBack = await engine.shards
        .find(({ name }) => name === shard)
        ?.ping()
        .then(
          () => true,
          () => false,
        );
      if (!isBack) return this.fail(lane);
      lane.isDown = false;
      lane.since = engine.now();
      return;
    }
    const begun = performance.now();
    const { isComplete, outage } = await run(ticks);
    if (outage !== undefined) return this.fail(lane);
    if (performance.now() - begun > SLOW_ANSWER) lane.since = engine.now();
    if (!isComplete) lane.notBefore = performance.now() + RETRY_DELAY;
  }

  private fail(lane: Lane): void {
    lane.isDown = true;
    lane.notBefore = performance.now() + RETRY_DELAY;
  }

  private shardOf({ stored }: Schedule): string {
    return this.deps.topology.shardOf(stored.template.queue);
  }

  private laneOf(schedule: Schedule): Lane {
    const shard = this.shardOf(schedule);
    let lane = this.lanes.get(shard);
    if (!lane) this.lanes.set(shard, (lane = { isBusy: false, isDown: false, notBefore: -Infinity, since: -Infinity }));
    return lane;
  }
}
