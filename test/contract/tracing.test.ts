import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { context, propagation, ROOT_CONTEXT, SpanStatusCode, trace, type Attributes } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import {
  chain,
  chord,
  group,
  Task,
  TaskContext,
  TaskProcessor,
  TaskSchedules,
  type TaskHandle,
  type Tasks,
} from 'nestjs-task-queue';
import { TaskTelemetryModule } from 'nestjs-task-queue/telemetry';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { attribute, linksOf, parentOf, placeOfSpan, Spans } from '../support/spans.js';
import { until } from '../support/until.js';

const spans = new Spans().register();
const tracer = trace.getTracer('test');

/** What the method of a task saw. */
interface Seen {
  readonly headers: TaskContext['headers'];
  readonly baggage: string | undefined;
  readonly active: string | undefined;
}

/** One for each running application: tasks are made by Nest, so they cannot get it as a parameter. */
let seen: Map<string, Seen>;
let app: Booted;

@TaskProcessor({ backoff: { type: 'fixed', delay: 5, jitter: 0 } })
class Work {
  private running = new Gate();

  constructor(private readonly task: TaskContext) {}

  @Task()
  async look(): Promise<string> {
    const active = trace.getActiveSpan()?.spanContext();
    seen.set(this.task.id, {
      headers: this.task.headers,
      baggage: propagation.getActiveBaggage()?.getEntry('tenant')?.value,
      active: active && `${active.traceId}-${active.spanId}`,
    });
    await new Promise((resolve) => setImmediate(resolve));
    tracer.startActiveSpan(`inside ${this.task.id}`, (span) => span.end());
    return 'looked';
  }

  @Task()
  async pass(): Promise<string> {
    return (await app.queue.of(Work).look.enqueue()).id;
  }

  @Task({ retries: 1 })
  async fail(failures: number): Promise<void> {
    if (this.task.attempt <= failures) throw Object.assign(new RangeError('no luck'), { code: 'LUCK' });
  }

  @Task()
  async later(): Promise<void> {
    if (seen.has(this.task.id)) return;
    seen.set(this.task.id, { headers: this.task.headers, baggage: undefined, active: undefined });
    this.task.retry({ in: 5 });
  }

  @Task()
  async hang(): Promise<void> {
    this.running.open();
    await new Promise((_, reject) => this.task.signal.addEventListener('abort', () => reject(new Error('aborted'))));
  }

  @Task()
  numbers(count: number): number[] {
    return Array.from({ length: count }, (_, index) => index);
  }

  @Task()
  double(value: number): number {
    return value * 2;
  }

  @Task()
  sum(values: number[]): number {
    return values.reduce((sum, value) => sum + value, 0);
  }

  @Task()
  become(value: number): number {
    this.task.replaceWith(app.queue.of(Work).double.signature(value));
  }

  @Task()
  note(_what: unknown): void {}
}

/** Calls `body` inside a span of the application, with a tenant in the baggage, and returns the place of the span. */
async function inRequest<T>(name: string, body: () => Promise<T>): Promise<readonly [place: string, result: T]> {
  const baggage = propagation.createBaggage({ tenant: { value: 'acme' } });
  return context.with(propagation.setBaggage(context.active(), baggage), () =>
    tracer.startActiveSpan(name, async (span) => {
      const { traceId, spanId } = span.spanContext();
      const result = await body();
      span.end();
      return [`${traceId}-${spanId}`, result] as const;
    }),
  );
}

const traceOf = (place: string | undefined) => place?.split('-')[0];
const only = (found: readonly ReadableSpan[]) => {
  expect(found.map(({ name }) => name)).toHaveLength(1);
  return found[0] as ReadableSpan;
};
const sentWith = (attributes: Attributes) =>
  spans.sent().filter((span) => Object.entries(attributes).every(([name, value]) => attribute(span, name) === value));
const senderOf = (handle: Pick<TaskHandle, 'id'>) => only(sentWith({ 'messaging.message.id': handle.id }));

// After the last application, so that no span is lost.
afterAll(() => spans.close());

describeEachEngine('traces', (engine) => {
  let work: Tasks<Work>;

  beforeAll(async () => {
    seen = new Map();
    const options = { ...(await engine.place()), queues: { full: { maxQueued: 1 } } };
    app = await boot(options, [Work], false, [TaskTelemetryModule.forRoot()]);
    work = app.queue.of(Work);
  });
  beforeEach(() => spans.reset());
  afterAll(() => app.app.close());

  describe('a task', () => {
    it('has a span for its enqueue and one for its attempt, which begins a trace and links to the first', async () => {
      const [request, handle] = await inRequest('request', () => work.look.enqueue());
      const run = await spans.run(handle.id);
      const sender = senderOf(handle);
      expect([sender.name, run.name]).toEqual(['enqueue Work.look', 'run Work.look']);
      expect(parentOf(sender)).toBe(request);
      expect(parentOf(run)).toBeUndefined();
      expect(traceOf(placeOfSpan(run))).not.toBe(traceOf(request));
      expect(linksOf(run)).toEqual([placeOfSpan(sender)]);
      expect(sender.attributes).toEqual({
        'messaging.system': 'nestjs-task-queue',
        'messaging.operation.name': 'enqueue',
        'messaging.operation.type': 'send',
        'messaging.destination.name': 'default',
        'messaging.message.id': handle.id,
        'task_queue.task': 'Work.look',
      });
      expect(run.attributes).toEqual({
        'messaging.system': 'nestjs-task-queue',
        'messaging.operation.name': 'run',
        'messaging.operation.type': 'process',
        'messaging.destination.name': 'default',
        'messaging.message.id': handle.id,
        'task_queue.task': 'Work.look',
        'task_queue.attempt': 1,
        'task_queue.outcome': 'succeeded',
      });
      expect([sender.status.code, run.status.code]).toEqual([SpanStatusCode.UNSET, SpanStatusCode.UNSET]);
    });

    it('has the context in its headers, and its attempt is active in its method, after an await too', async () => {
      const [, handle] = await inRequest('request', () => work.look.enqueue());
      const run = placeOfSpan(await spans.run(handle.id));
      const { headers, active, baggage } = seen.get(handle.id) as Seen;
      expect(headers).toEqual({ traceparent: `00-${placeOfSpan(senderOf(handle))}-01`, baggage: 'tenant=acme' });
      expect([active, baggage]).toEqual([run, 'acme']);
      expect(parentOf(await spans.named(`inside ${handle.id}`))).toBe(run);
    });

    it('passes the context on to the tasks that it enqueues, in headers that are written anew', async () => {
      const [, handle] = await inRequest('request', () => work.pass.enqueue());
      const next = { id: await handle.result() };
      const [first, second] = [await spans.run(handle.id), await spans.run(next.id)];
      const sender = senderOf(next);
      expect(parentOf(sender)).toBe(placeOfSpan(first));
      expect(linksOf(second)).toEqual([placeOfSpan(sender)]);
      expect(new Set([first, second].map((span) => span.spanContext().traceId)).size).toBe(2);
      expect(seen.get(next.id)).toMatchObject({
        headers: { traceparent: `00-${placeOfSpan(sender)}-01`, baggage: 'tenant=acme' },
        baggage: 'acme',
      });
    });

    it('without a span around its enqueue begins a trace, or goes on with the headers of the call', async () => {
      const alone = await work.look.enqueue();
      await spans.run(alone.id);
      expect(parentOf(senderOf(alone))).toBeUndefined();
      expect(Object.keys((seen.get(alone.id) as Seen).headers)).toEqual(['traceparent']);
      const remote = `${'a'.repeat(32)}-${'b'.repeat(16)}`;
      const headers = { traceparent: `00-${remote}-01`, tracestate: 'vendor=1', baggage: 'tenant=umbrella' };
      const forwarded = await work.look.with({ headers }).enqueue();
      await spans.run(forwarded.id);
      expect(parentOf(senderOf(forwarded))).toBe(remote);
      expect(seen.get(forwarded.id)).toMatchObject({
        headers: { traceparent: `00-${placeOfSpan(senderOf(forwarded))}-01`, tracestate: 'vendor=1' },
        baggage: 'umbrella',
      });
    });

    it('has the baggage of its enqueue also when no span is active there', async () => {
      const baggage = propagation.createBaggage({ tenant: { value: 'acme' } });
      const withBaggage = <T>(body: () => T) => context.with(propagation.setBaggage(ROOT_CONTEXT, baggage), body);
      const remote = `${'a'.repeat(32)}-${'b'.repeat(16)}`;
      const headers = { traceparent: `00-${remote}-01`, baggage: 'tenant=umbrella' };
      for (const [producer, parent] of [
        [work.look, undefined],
        [work.look.with({ headers }), remote],
      ] as const) {
        const handle = await withBaggage(() => producer.enqueue());
        await spans.run(handle.id);
        expect(parentOf(senderOf(handle))).toBe(parent);
        expect(seen.get(handle.id)).toMatchObject({ headers: { baggage: 'tenant=acme' }, baggage: 'acme' });
      }
    });

    it('loses the state of another trace when its enqueue belongs to a new one', async () => {
      const headers = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'vendor=1', tenant: 'x' };
      const [, handle] = await inRequest('request', () => work.look.with({ headers }).enqueue());
      await spans.run(handle.id);
      expect(Object.keys((seen.get(handle.id) as Seen).headers).toSorted()).toEqual([
        'baggage',
        'tenant',
        'traceparent',
      ]);
    });
  });

  describe('an attempt that does not succeed', () => {
    it('is an error with the exception, and the next one links to it and to the enqueue', async () => {
      const handle = await work.fail.enqueue(1);
      const [first, second] = [await spans.run(handle.id, 1), await spans.run(handle.id, 2)];
      expect(first.status).toEqual({ code: SpanStatusCode.ERROR, message: 'no luck' });
      expect(first.attributes).toMatchObject({ 'task_queue.outcome': 'retry', 'error.type': 'LUCK' });
      expect(first.events.map(({ name, attributes }) => ({ name, ...attributes }))).toEqual([
        {
          name: 'exception',
          'exception.type': 'RangeError',
          'exception.message': 'no luck',
          'exception.stacktrace': expect.stringContaining('tracing.test'),
        },
      ]);
      const sender = placeOfSpan(senderOf(handle));
      expect([first, second].map(linksOf)).toEqual([[sender], [sender, placeOfSpan(first)]]);
      expect([first, second].map(parentOf)).toEqual([undefined, undefined]);
      expect(second.status.code).toBe(SpanStatusCode.UNSET);
    });

    it('is linked to also after a caller has run the failed task again', async () => {
      const handle = await work.fail.enqueue(5);
      await expect(handle.result()).rejects.toThrow('no luck');
      const last = await spans.run(handle.id, 2);
      expect(last.attributes).toMatchObject({ 'task_queue.outcome': 'failed', 'error.type': 'LUCK' });
      await handle.retry();
      await until(() => spans.runsOf(handle.id).length > 2, 'the task has run again');
      const again = spans.runsOf(handle.id)[2] as ReadableSpan;
      expect(attribute(again, 'task_queue.attempt')).toBe(1);
      expect(linksOf(again)).toEqual([placeOfSpan(senderOf(handle)), placeOfSpan(last)]);
      await expect(handle.result()).rejects.toThrow('no luck');
    });

    it('is no error when the task asked to run later, and none when a caller cancelled it', async () => {
      const later = await work.later.enqueue();
      await later.result();
      await until(() => spans.runsOf(later.id).length === 2, 'both runs have a span');
      const outcomes = spans.runsOf(later.id).map((span) => attribute(span, 'task_queue.outcome'));
      expect(outcomes).toEqual(['postponed', 'succeeded']);
      const hanging = await work.hang.enqueue();
      await until(async () => (await hanging.status()).state === 'running', 'the task runs');
      await hanging.cancel('enough');
      const cancelled = await spans.run(hanging.id);
      expect(attribute(cancelled, 'task_queue.outcome')).toBe('cancelled');
      expect([...spans.runsOf(later.id), cancelled].map(({ status }) => status.code)).toEqual(
        Array(3).fill(SpanStatusCode.UNSET),
      );
    });
  });

  it('a bulk has one span, to which all its tasks link', async () => {
    const [request, handles] = await inRequest('request', () => work.double.enqueueMany([[1], [2], [3]]));
    const runs = await Promise.all(handles.map(({ id }) => spans.run(id)));
    const sender = only(sentWith({ 'messaging.batch.message_count': 3, 'task_queue.task': 'Work.double' }));
    expect(parentOf(sender)).toBe(request);
    expect(attribute(sender, 'messaging.message.id')).toBeUndefined();
    expect(runs.map(linksOf)).toEqual(handles.map(() => [placeOfSpan(sender)]));
    expect(new Set(runs.map((run) => run.spanContext().traceId)).size).toBe(3);
  });

  it('a call that an earlier task stands for names that task', async () => {
    const first = await work.double.with({ idempotencyKey: 'once' }).enqueue(7);
    await work.double.with({ idempotencyKey: 'once' }).enqueue(7);
    expect(
      sentWith({ 'messaging.message.id': first.id }).map((span) => attribute(span, 'task_queue.deduplicated')),
    ).toEqual([undefined, true]);
  });

  it('an enqueue that fails is an error', async () => {
    const [, error] = await inRequest('request', () =>
      work.double
        .with({ queue: 'full' })
        .enqueueMany([[1], [2]])
        .catch(String),
    );
    expect(error).toContain('QueueFullError');
    const sender = only(sentWith({ 'messaging.destination.name': 'full' }));
    expect(sender.status.code).toBe(SpanStatusCode.ERROR);
    expect(sender.events.map(({ name }) => name)).toEqual(['exception']);
  });

  describe('a workflow', () => {
    it('has one span for all tasks that are stored at once, to which their attempts link', async () => {
      const tasks = [work.double.signature(1), work.double.signature(2)];
      const [request, handle] = await inRequest('workflow', () => chord(tasks, work.sum.signature()).enqueue());
      expect(await handle.result()).toBe(6);
      const last = await spans.run(handle.id);
      const sender = only(sentWith({ 'messaging.message.conversation_id': handle.id }));
      expect(parentOf(sender)).toBe(request);
      expect(sender.name).toBe('enqueue Work.sum');
      expect(attribute(sender, 'messaging.batch.message_count')).toBe(4);
      const all = spans.all().filter((span) => linksOf(span).includes(placeOfSpan(sender)));
      expect(all.map(({ name }) => name).toSorted()).toEqual(['run Work.double', 'run Work.double', 'run Work.sum']);
      expect(all).toContain(last);
      const members = all.filter((span) => span !== last);
      expect(members.map((span) => attribute(span, 'messaging.message.conversation_id'))).toEqual([
        handle.id,
        handle.id,
      ]);
    });

    it('has a span for the members that it gets later, in the trace of the workflow', async () => {
      const [request, handle] = await inRequest('workflow', () =>
        chain(work.numbers.signature(2), group([work.sum.signature(), work.sum.signature()])).enqueue(),
      );
      expect(await handle.result()).toEqual([1, 1]);
      const sender = only(sentWith({ 'messaging.message.conversation_id': handle.id, 'task_queue.task': 'Work.sum' }));
      expect(traceOf(placeOfSpan(sender))).toBe(traceOf(request));
      expect(attribute(sender, 'messaging.batch.message_count')).toBe(2);
      const runs = spans.all().filter((span) => linksOf(span).includes(placeOfSpan(sender)));
      expect(runs.map(({ name }) => name)).toEqual(['run Work.sum', 'run Work.sum']);
    });

    it('that takes the place of a task belongs to the attempt that asked for it', async () => {
      const handle = await work.become.enqueue(4);
      expect(await handle.result()).toBe(8);
      const attempt = await spans.run(handle.id);
      expect(attempt.attributes).toMatchObject({ 'task_queue.outcome': 'replaced' });
      expect(spans.runsOf(handle.id)).toHaveLength(1);
      const sender = only(spans.sent('Work.double').filter((span) => parentOf(span) === placeOfSpan(attempt)));
      const id = attribute(sender, 'messaging.message.id') as string;
      expect(linksOf(await spans.run(id))).toEqual([placeOfSpan(sender)]);
    });

    it('of one task for many arguments has one attempt', async () => {
      const handle = await work.double.map([1, 2, 3]).enqueue();
      expect(await handle.result()).toEqual([2, 4, 6]);
      await spans.run(handle.id);
      expect(spans.runsOf(handle.id)).toHaveLength(1);
    });

    it('has callbacks that belong to the attempt that ended it', async () => {
      const handle = await work.double.signature(1).onSuccess(work.note.signature()).enqueue();
      await handle.result();
      await until(() => spans.sent('Work.note').length > 0, 'the callback is enqueued');
      const sender = only(spans.sent('Work.note'));
      expect(parentOf(sender)).toBe(placeOfSpan(await spans.run(handle.id)));
      expect(linksOf(await spans.run(attribute(sender, 'messaging.message.id') as string))).toEqual([
        placeOfSpan(sender),
      ]);
      expect(spans.all().filter(({ name }) => name.includes('callbacks'))).toEqual([]);
    });
  });

  it('each tick of a schedule begins a trace, whatever context put the schedule', async () => {
    const schedules = app.app.get(TaskSchedules);
    await inRequest('put a schedule', () => schedules.upsert('traced', { task: 'Work.look', every: '1s' }));
    const ticks = () => sentWith({ 'task_queue.schedule': 'traced' });
    await until(() => ticks().length >= 2, 'the schedule ticked twice');
    await schedules.remove('traced');
    expect(ticks().map(parentOf)).toEqual(ticks().map(() => undefined));
    const [first, second] = ticks();
    expect(first?.spanContext().traceId).not.toBe(second?.spanContext().traceId);
    const run = await spans.run(attribute(first as ReadableSpan, 'messaging.message.id') as string);
    expect(linksOf(run)).toEqual([placeOfSpan(first as ReadableSpan)]);
    expect(attribute(run, 'task_queue.schedule')).toBe('traced');
  });
});

describeEachEngine("traces with parent: 'child'", (engine) => {
  beforeAll(async () => {
    seen = new Map();
    app = await boot(await engine.place(), [Work], false, [TaskTelemetryModule.forRoot({ parent: 'child' })]);
  });
  afterAll(() => app.app.close());

  it('the attempts of a task are children of its enqueue, and the second links to the first', async () => {
    const [request, handle] = await inRequest('request', () => app.queue.of(Work).fail.enqueue(1));
    const attempts = [await spans.run(handle.id, 1), await spans.run(handle.id, 2)];
    const sender = placeOfSpan(senderOf(handle));
    expect(attempts.map(parentOf)).toEqual([sender, sender]);
    expect(attempts.map((span) => traceOf(placeOfSpan(span)))).toEqual([traceOf(request), traceOf(request)]);
    expect(attempts.map(linksOf)).toEqual([[], [placeOfSpan(attempts[0] as ReadableSpan)]]);
  });
});
