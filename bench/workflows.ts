import type { FlowJob, FlowProducer, Job } from 'bullmq';
import { chain, chord, Task, type Signature } from 'nestjs-task-queue';
import { compare, type Course, type Row } from './harness/compare.js';
import type { Contender, Contenders, Place } from './harness/contender.js';
import { percentile } from './harness/figures.js';
import { CONCURRENCY } from './harness/workload.js';
import { appAt, bullmqAt } from './peers/apps.js';

export const about =
  'A chain of 10 tasks and a chord of 100, one after the other, from enqueueing to the final result; concurrency 20, the worker in the same process. The peer is the same built by hand on BullMQ.';

const STEPS = 10;
const MEMBERS = 100;
/** Workflows in a round. */
const TIMES = { chain: 20, chord: 10 };

/** Measures the milliseconds from enqueueing to the result, and checks the result. */
async function measure(kinds: Record<keyof typeof TIMES, () => Promise<unknown>>): Promise<Record<string, number>> {
  const expected = { chain: STEPS, chord: MEMBERS * 2 };
  const figures: Record<string, number> = {};
  for (const kind of ['chain', 'chord'] as const) {
    const times: number[] = [];
    for (let n = 0; n < TIMES[kind]; n++) {
      const start = performance.now();
      const result = await kinds[kind]();
      times.push(performance.now() - start);
      if (result !== expected[kind]) throw new Error(`The ${kind} gave ${String(result)}.`);
    }
    figures[`ms a ${kind}`] = percentile(times, 50);
  }
  return figures;
}

class Sums {
  @Task('Sums.add')
  async add(a: number, b: number): Promise<number> {
    return a + b;
  }

  @Task('Sums.sum')
  async sum(numbers: number[]): Promise<number> {
    return numbers.reduce((sum, each) => sum + each, 0);
  }
}

/** One job of a flow. The results of its children are the first arguments of `add` and `sum`, its data the others. */
const flowJob = (name: string, data: object, children: FlowJob[] = []): FlowJob => ({
  name,
  queueName: 'default',
  data,
  children,
  opts: { failParentOnFailure: true },
});

async function byHand(place: Place): Promise<Contender> {
  const { FlowProducer: Flows, QueueEvents, Worker, options } = bullmqAt(place);
  const process = async (job: Job): Promise<number> => {
    const results = Object.values(await job.getChildrenValues<number>());
    if (job.name === 'Sums.sum') return results.reduce((sum, each) => sum + each, 0);
    const { a = results[0], b } = job.data as { a?: number; b: number };
    return a + b;
  };
  const worker = new Worker('default', process, { ...options, concurrency: CONCURRENCY });
  const events = new QueueEvents('default', options);
  const flows: FlowProducer = new Flows(options);
  await Promise.all([worker.waitUntilReady(), events.waitUntilReady()]);
  const resultOf = async (flow: FlowJob) => (await flows.add(flow)).job.waitUntilFinished(events);
  return {
    round: () =>
      measure({
        chain() {
          let flow = flowJob('Sums.add', { a: 0, b: 1 });
          for (let step = 1; step < STEPS; step++) flow = flowJob('Sums.add', { b: 1 }, [flow]);
          return resultOf(flow);
        },
        chord() {
          const members = Array.from({ length: MEMBERS }, () => flowJob('Sums.add', { a: 1, b: 1 }));
          return resultOf(flowJob('Sums.sum', {}, members));
        },
      }),
    async close() {
      await worker.close();
      await events.close();
      await flows.close();
    },
  };
}

export const contenders: Contenders = {
  FlowProducer: byHand,

  async signatures(place) {
    const { app, queue } = await appAt(
      place,
      { queues: { default: { concurrency: CONCURRENCY } } },
      { providers: [Sums] },
    );
    const { add, sum } = queue.of(Sums);
    const resultOf = async <R>(whole: Signature<void, R>) => (await whole.enqueue()).result();
    return {
      round: () =>
        measure({
          chain: () =>
            resultOf(chain(add.signature(0, 1), ...Array.from({ length: STEPS - 1 }, () => add.signature(1)))),
          chord: () =>
            resultOf(
              chord(
                Array.from({ length: MEMBERS }, () => add.signature(1, 1)),
                sum.signature(),
              ),
            ),
        }),
      close: () => app.close(),
    };
  },
};

export async function run(course: Course): Promise<Row[]> {
  const match = { peer: { name: 'FlowProducer' }, rivals: [{ name: 'signatures' }] };
  return [
    ...(await compare(course, { what: 'Redis', store: 'redis', ...match })),
    ...(await compare(course, { what: 'PostgreSQL', store: 'postgres', ...match })),
  ];
}
