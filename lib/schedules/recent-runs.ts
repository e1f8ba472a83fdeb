import { inBatches } from '../concurrency.js';
import type { Engine } from '../engine/engine.js';
import type { TaskRecord } from '../engine/task.js';
import { isoText, publicPart, type ScheduledRun } from './schedule-status.js';
import { idOfTick } from './scheduled-call.js';
import type { Schedule } from './schedule.js';

/** Tasks that are read at the same time. */
const READ_AT_ONCE = 10;

/**
 * The last runs of a schedule whose tasks are stored, the latest first. The ids of ticks follow from the schedule, so no list of
 * runs has to be stored.
 *
 * @throws EngineUnavailableError
 */
export async function readRecentRuns(
  schedule: Schedule,
  limit: number,
  engine: Pick<Engine, 'find' | 'now' | 'schedules'>,
): Promise<ScheduledRun[]> {
  const { stored, manual } = schedule;
  const secret = await engine.schedules.secret();
  const ticks = new Map<string, number | undefined>(
    schedule.past(engine.now(), limit).map((tick) => [idOfTick(stored, tick, secret), tick]),
  );
  if (manual) ticks.set(manual.task, undefined);
  const runs = await inBatches([...ticks], READ_AT_ONCE, async ([id, tick]) => {
    const record = await engine.find(id);
    return record && toRun(record, tick);
  });
  return runs
    .filter((run) => run !== undefined)
    .toSorted((one, other) => Date.parse(other.enqueuedAt) - Date.parse(one.enqueuedAt))
    .slice(0, limit);
}

function toRun({ id, state, enqueuedAt, finishedAt, error }: TaskRecord, tick: number | undefined): ScheduledRun {
  return {
    id,
    tick: tick === undefined ? null : isoText(tick),
    enqueuedAt: isoText(enqueuedAt),
    state,
    finishedAt: finishedAt === null ? null : isoText(finishedAt),
    error: error && publicPart(error),
  };
}
