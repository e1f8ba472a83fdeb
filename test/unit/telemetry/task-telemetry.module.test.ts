import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable, Module, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { diag, propagation, trace } from '@opentelemetry/api';
import { BatchSpanProcessor, InMemorySpanExporter } from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { Task, TaskContext, TaskQueueModule } from 'nestjs-task-queue';
import { TaskTelemetryModule, type TaskTelemetryOptions } from 'nestjs-task-queue/telemetry';
import { Instrumentations } from '../../../lib/engine/instrumentation.js';
import { boot, type Booted } from '../../support/boot.js';
import { LogLines } from '../../support/log-lines.js';
import { Spans } from '../../support/spans.js';
import { until } from '../../support/until.js';

@Injectable()
class Work {
  constructor(private readonly task: TaskContext) {}

  @Task()
  headers(): TaskContext['headers'] {
    return this.task.headers;
  }
}

let booted: Booted | undefined;

afterEach(async () => {
  await booted?.app.close();
  booted = undefined;
  jest.useRealTimers();
  trace.disable();
  propagation.disable();
});

async function start(options?: TaskTelemetryOptions, logger?: LogLines): Promise<Booted> {
  booted = await boot({ connection: 'memory:' }, [Work], logger ?? false, [TaskTelemetryModule.forRoot(options)]);
  return booted;
}

function compile(imports: ModuleMetadata['imports']) {
  @Module({ imports })
  class App {}
  return NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
}

describe('without a provider of traces', () => {
  it('nothing is observed, headers stay as they are, and one line says so', async () => {
    const lines = new LogLines();
    const { app, queue } = await start({}, lines);
    const instrumentations = app.get(Instrumentations);
    expect([instrumentations.ignoresCalls, instrumentations.ignoresRuns]).toEqual([true, true]);
    const headers = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` };
    const handle = await queue.of(Work).headers.with({ headers }).enqueue();
    expect(await handle.result()).toEqual(headers);
    expect(lines.lines.filter((line) => line.includes('OpenTelemetry'))).toEqual([
      'DEBUG No provider of OpenTelemetry traces is registered, so tasks have no spans. Start the SDK before the application boots.',
    ]);
  });
});

describe('a provider of traces', () => {
  it('is the global one, unless the options name another', async () => {
    const global = new Spans().register();
    const own = new Spans();
    for (const [options, expected] of [
      [{}, global],
      [{ tracerProvider: own.provider }, own],
    ] as const) {
      const { app, queue } = await start(options);
      const handle = await queue.of(Work).headers.enqueue();
      await handle.result();
      await expected.run(handle.id);
      await app.close();
    }
    expect([global, own].map((spans) => spans.all().length)).toEqual([2, 2]);
  });

  it('may be another one for each application of a process', async () => {
    const [one, other] = [new Spans(), new Spans()];
    const first = await start({ tracerProvider: one.provider });
    const second = await boot({ connection: 'memory:' }, [Work], false, [
      TaskTelemetryModule.forRoot({ tracerProvider: other.provider }),
    ]);
    const handle = await second.queue.of(Work).headers.enqueue();
    await other.run(handle.id);
    await second.app.close();
    expect([one.all(), first.app.get(Instrumentations).ignoresCalls]).toEqual([[], false]);
  });
});

describe('spans that wait in a batch', () => {
  it('are exported before the application has closed', async () => {
    const exporter = new InMemorySpanExporter();
    new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] }).register();
    const { app, queue } = await start();
    await (await queue.of(Work).headers.enqueue()).result();
    expect(exporter.getFinishedSpans()).toEqual([]);
    await app.close();
    const names = exporter.getFinishedSpans().map(({ name }) => name);
    expect(names.toSorted()).toEqual(['enqueue Work.headers', 'run Work.headers']);
  });

  it.each<[string, () => Promise<void>]>([
    ['fails', () => Promise.reject(new Error('no collector'))],
    ['does not end', () => new Promise(() => undefined)],
  ])('do not keep an application open whose export %s', async (_, forceFlush) => {
    const provider = Object.assign(new Spans().provider, { forceFlush: jest.fn(forceFlush) });
    const { app } = await start({ tracerProvider: provider });
    booted = undefined;
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    const closed = app.close();
    await until(() => provider.forceFlush.mock.calls.length > 0);
    await jest.advanceTimersByTimeAsync(2_000);
    await closed;
  });
});

describe('wrong use makes the start fail', () => {
  it('with another value of `parent`', async () => {
    await expect(start({ parent: 'sibling' as 'link' })).rejects.toThrow(
      `TaskTelemetryModule.forRoot({ parent: "sibling" }) is neither 'link' nor 'child'.`,
    );
  });

  it('without TaskQueueModule', async () => {
    await expect(compile([TaskTelemetryModule.forRoot()])).rejects.toThrow('Import TaskQueueModule.forRoot() too');
  });

  it('with two imports', async () => {
    const twice = [TaskTelemetryModule.forRoot(), TaskTelemetryModule.forRoot({ parent: 'child' })];
    await expect(compile([TaskQueueModule.forRoot({ connection: 'memory:' }), ...twice])).rejects.toThrow(
      'TaskTelemetryModule.forRoot() is imported twice, by App. Each attempt would have two spans: import it once',
    );
  });
});

describe('an SDK that throws', () => {
  const broken = (method: 'onStart' | 'onEnd') => ({
    onStart: () => undefined,
    onEnd: () => undefined,
    forceFlush: async () => undefined,
    shutdown: async () => undefined,
    [method]: () => {
      throw new Error(`${method} is broken`);
    },
  });

  it.each(['onStart', 'onEnd'] as const)('in %s costs a span, but no task', async (method) => {
    const reported: unknown[] = [];
    const ignore = () => undefined;
    const report = (_message: string, error: unknown) => void reported.push(String(error));
    diag.setLogger({ error: report, warn: ignore, info: ignore, debug: ignore, verbose: ignore });
    const provider = new NodeTracerProvider({ spanProcessors: [broken(method)] });
    const { queue } = await start({ tracerProvider: provider });
    const handle = await queue.of(Work).headers.enqueue();
    expect(Object.keys(await handle.result())).toEqual([]);
    // The span of the attempt ends a moment before the task does.
    expect(reported).toEqual([`Error: ${method} is broken`, `Error: ${method} is broken`]);
    diag.disable();
  });
});
