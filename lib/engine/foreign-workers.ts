import { finding, type Finding } from './ports/diagnosis-port.js';
import type { ForeignWorker, ForeignWorkersPort } from './ports/foreign-workers-port.js';
import { isAlive, type WorkerRecord, type WorkerRegistry } from './ports/worker-registry.js';
import { isInternalQueue } from './task-id.js';

/** What happens when two kinds of workers take from one queue. */
const HARM =
  'Each takes what only the other one can run: this package fails jobs that no task accepts, and a worker of BullMQ runs the tasks of this package as its own jobs.';
const CURE =
  "Stop one of the two, give the tasks a queue of their own (option queue), or give this package its own option prefix. A task with accepts: 'job' runs the old jobs, so the other worker can go.";

/** The worker of this package that a warning names. */
export type NamedWorker = Pick<WorkerRecord, 'application' | 'host' | 'pid' | 'queues' | 'tasks' | 'tasksOfQueues'>;

/**
 * The warning about a queue from which a worker of BullMQ takes too.
 *
 * @param processors the names of the classes with `@Processor()` for that queue in this process
 */
export function foreignWorkerWarning(
  own: NamedWorker,
  foreign: ForeignWorker,
  processors: readonly string[] = [],
): string {
  return `${textOf(own, foreign, processors)} ${HARM} ${CURE}`;
}

/** A finding for each queue that both kinds of workers take from. @throws EngineUnavailableError */
export async function findForeignWorkers(
  engine: ForeignWorkersPort & { readonly workers: Pick<WorkerRegistry, 'list'>; now(): number },
): Promise<Finding[]> {
  const workers = (await engine.workers.list()).filter((worker) => isAlive(worker, engine.now()));
  const queues = new Set(workers.flatMap((worker) => worker.queues.filter((queue) => !isInternalQueue(queue))));
  if (queues.size === 0) return [];
  const found = await engine.foreignWorkers([...queues]);
  const byQueue = new Map(found.toReversed().map((foreign) => [foreign.queue, foreign]));
  return Array.from(byQueue.values(), (foreign) => {
    const own = workers.find((worker) => worker.queues.includes(foreign.queue)) as WorkerRecord;
    return finding('other workers', 'warn', `${textOf(own, foreign, [])} ${HARM}`, CURE);
  });
}

function textOf(own: NamedWorker, foreign: ForeignWorker, processors: readonly string[]): string {
  const { queue, otherPlace } = foreign;
  const doubt =
    otherPlace === undefined ? '' : ` (unless that one belongs to ${otherPlace}, which has a queue of this name too)`;
  return `Two kinds of workers take from the queue "${queue}": ${describeOwn(own, queue)}, and ${describeForeign(foreign, processors)}${doubt}.`;
}

/** The most tasks that a warning names. */
const NAMES = 3;

function describeOwn({ application, host, pid, tasks, tasksOfQueues }: NamedWorker, queue: string): string {
  const own = tasksOfQueues?.[queue] ?? tasks;
  const names = own.length > NAMES ? [...own.slice(0, NAMES), `${own.length - NAMES} more`] : own;
  const who = application === undefined ? 'a worker of this package' : `the worker of "${application}"`;
  return `${who} on ${host} (process ${pid}, tasks ${names.join(', ') || 'none'})`;
}

function describeForeign({ address, name }: ForeignWorker, processors: readonly string[]): string {
  const which = name === undefined ? '' : ` named "${name}"`;
  const where = address === undefined ? '' : ` connected from ${address}`;
  const kind =
    processors.length > 0
      ? `probably the @Processor() ${processors.join(', ')} of this process`
      : 'such as a @Processor() of @nestjs/bullmq';
  return `a worker of BullMQ${which}${where} (${kind})`;
}
