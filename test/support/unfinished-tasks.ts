import { getQueueToken } from '@nestjs/bullmq';
import type { JobType, Queue } from 'bullmq';
import type { Engine } from '../../lib/engine/engine.js';
import { MemoryEngine } from '../../lib/engine/memory/memory-engine.js';
import { hasEnded } from '../../lib/engine/memory/stored-task.js';
import { ENGINE } from '../../lib/task-queue-tokens.js';
import type { Booted } from './boot.js';

/** The BullMQ states of a job that is not final. */
const UNFINISHED: JobType[] = ['wait', 'prioritized', 'delayed', 'active', 'waiting-children'];

/** The ids of all tasks of a queue that wait or run. No public call tells them. */
export async function unfinishedTasks({ app }: Booted, queue = 'default'): Promise<string[]> {
  const engine: unknown = app.get(ENGINE);
  if (engine instanceof MemoryEngine) {
    return [...engine.place.store.all()].filter((task) => task.queue === queue && !hasEnded(task)).map(({ id }) => id);
  }
  const jobs = await nativeQueue(engine, queue).getJobs(UNFINISHED);
  return jobs.map(({ id }) => id as string);
}

/** Removes a task that does not run, as an administrator may do with BullMQ's own tools. */
export async function removeTask({ app }: Booted, id: string): Promise<void> {
  const engine: unknown = app.get(ENGINE);
  if (!(engine instanceof MemoryEngine)) {
    await app.get<Queue>(getQueueToken('default')).remove(id);
    return;
  }
  const task = engine.place.store.find(id);
  if (task && task.place !== 'running') engine.place.store.remove(task);
}

/** The BullMQ states of a job that is final. */
const FINISHED: JobType[] = ['completed', 'failed'];

/** The ids of all tasks of a queue that are stored. */
export async function storedTasks({ app }: Booted, queue = 'default'): Promise<string[]> {
  const engine: unknown = app.get(ENGINE);
  if (engine instanceof MemoryEngine) {
    return [...engine.place.store.all()].filter((task) => task.queue === queue).map(({ id }) => id);
  }
  const jobs = await nativeQueue(engine, queue).getJobs([...UNFINISHED, ...FINISHED]);
  return jobs.map(({ id }) => id as string);
}

function nativeQueue(engine: unknown, queue: string): Queue {
  return (engine as Engine).native(queue) as Queue;
}
