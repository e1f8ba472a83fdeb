import { getQueueToken } from '@nestjs/bullmq';
import type { DynamicModule } from '@nestjs/common';
import { ExportResultCode } from '@opentelemetry/core';
import { BatchSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import type { Queue } from 'bullmq';
import { Task } from 'nestjs-task-queue';
import { TaskTelemetryModule } from 'nestjs-task-queue/telemetry';
import { compare, type Course, type Row } from './harness/compare.js';
import type { Contenders, StartContender } from './harness/contender.js';
import { Counter, CONCURRENCY, enqueueByMany, PAYLOAD, type Payload } from './harness/workload.js';
import { appAt } from './peers/apps.js';

export const about =
  'What traces cost: 100 callers who each enqueue one task after the other, and then a worker that runs these tasks, which do nothing. ' +
  'Without `TaskTelemetryModule`, with it but without a provider of traces, and with a provider that collects two spans for each task.';

const TOTAL = 8_000;

function app(imports: () => DynamicModule[]): StartContender {
  return async (place) => {
    const counter = new Counter();
    class Mails {
      @Task('Mails.send')
      async send(_mail: Payload): Promise<void> {
        counter.next();
      }
    }
    const options = { queues: { default: { concurrency: CONCURRENCY } } };
    const { app: running, queue } = await appAt(place, options, { providers: [Mails], imports: imports() });
    const send = queue.of<(mail: Payload) => void>('Mails.send');
    const native = running.get<Queue>(getQueueToken('default'));
    return {
      async round() {
        await native.pause();
        const enqueued = await enqueueByMany(TOTAL, () => send.enqueue(PAYLOAD));
        const rate = counter.expect(TOTAL);
        await native.resume();
        return { 'enqueued/s': enqueued, 'run/s': await rate };
      },
      close: () => running.close(),
    };
  };
}

/** As in production, but for the network: spans are collected and handed over in batches. */
const exporter: SpanExporter = {
  export: (_spans, done) => done({ code: ExportResultCode.SUCCESS }),
  shutdown: async () => undefined,
};

export const contenders: Contenders = {
  'no module': app(() => []),
  'no provider': app(() => [TaskTelemetryModule.forRoot()]),
  spans: app(() => {
    new NodeTracerProvider({
      spanProcessors: [new BatchSpanProcessor(exporter, { maxQueueSize: TOTAL * 2 })],
    }).register();
    return [TaskTelemetryModule.forRoot()];
  }),
};

export function run(course: Course): Promise<Row[]> {
  return compare(course, {
    what: 'Redis',
    store: 'redis',
    peer: { name: 'no module' },
    rivals: [{ name: 'no provider', target: { atLeast: 0.95 } }, { name: 'spans' }],
  });
}
