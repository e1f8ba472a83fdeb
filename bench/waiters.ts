import { getQueueToken } from '@nestjs/bullmq';
import type { Queue } from 'bullmq';
import { Task } from 'nestjs-task-queue';
import { compare, type Course, type Row } from './harness/compare.js';
import type { Contenders } from './harness/contender.js';
import { Counter } from './harness/workload.js';
import { appAt } from './peers/apps.js';

/** Tasks that are due at the same time. `--tasks` sets another number, for a quick look. */
const TASKS = 10_000;
const CONCURRENCY = 100;

export const about =
  `Tasks that do nothing and are due at once, concurrency ${CONCURRENCY}, with a caller of result() for each in the process that runs them, ` +
  'against the same tasks without a caller: from the first that starts to the last.';

export const contenders: Contenders = {
  async '@Task'(place, variant) {
    const counter = new Counter();
    class Work {
      @Task('Work.do')
      async do(): Promise<void> {
        counter.next();
      }
    }
    const total = Math.abs(variant);
    const { app, queue } = await appAt(
      place,
      { queues: { default: { concurrency: CONCURRENCY } } },
      { providers: [Work] },
    );
    const work = queue.of<Work['do']>('Work.do');
    const paused = app.get<Queue>(getQueueToken('default'));
    return {
      async round() {
        await paused.pause();
        const handles = await work.enqueueMany(Array.from({ length: total }, () => []));
        const rate = counter.expect(total);
        const results = variant < 0 ? handles.map((handle) => handle.result({ timeout: '5m' })) : [];
        await paused.resume();
        const figures = { seconds: total / (await rate) };
        await Promise.all(results);
        return figures;
      },
      close: () => app.close(),
    };
  },
};

export function run(course: Course): Promise<Row[]> {
  const tasks = course.option('tasks', TASKS);
  return compare(course, {
    what: `PostgreSQL, ${tasks.toLocaleString('en')} callers`,
    store: 'postgres',
    peer: { name: '@Task', variant: tasks },
    // A negative number of tasks: each has a caller.
    rivals: [{ name: '@Task', variant: -tasks, target: { atMost: 1.2 } }],
  });
}
