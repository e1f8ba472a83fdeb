import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { trace } from '@opentelemetry/api';
import { chain, Task, type Tasks } from 'nestjs-task-queue';
import { TaskTelemetryModule } from 'nestjs-task-queue/telemetry';
import { boot, type Booted } from '../../support/boot.js';
import { describeEachEngine } from '../../support/engines.js';
import { createOutbox, transact, type TestDatabase } from '../../support/outbox-database.js';
import { attribute, linksOf, parentOf, placeOf, placeOfSpan, Spans } from '../../support/spans.js';

const spans = new Spans().register();
const tracer = trace.getTracer('test');
afterAll(() => spans.close());

@Injectable()
class Work {
  @Task()
  double(value: number): number {
    return value * 2;
  }
}

let database: TestDatabase;
let booted: Booted;
let work: Tasks<Work>;

/** Calls `body` inside a span, and returns the place of the span. */
async function inSpan<T>(body: () => Promise<T>): Promise<readonly [place: string, result: T]> {
  return tracer.startActiveSpan('request', async (span) => {
    const result = await body();
    span.end();
    return [placeOf(span.spanContext()), result] as const;
  });
}

/** What holds for a call that is stored in a transaction, wherever that stores it. */
function declareTests(): void {
  it('a call in a transaction has its span in the trace of the caller, and its attempt links to it', async () => {
    const [request, handle] = await inSpan(() => transact(database, (tx) => work.double.in(tx).enqueue(2)));
    expect(await handle.result({ timeout: '20s' })).toBe(4);
    const run = await spans.run(handle.id);
    const senders = spans.sent().filter((span) => attribute(span, 'messaging.message.id') === handle.id);
    expect(senders.map(parentOf)).toEqual([request]);
    expect(linksOf(run)).toEqual(senders.map(placeOfSpan));
  });

  it('so has a workflow', async () => {
    const steps = chain(work.double.signature(2), work.double.signature());
    const [request, handle] = await inSpan(() => transact(database, (tx) => steps.in(tx).enqueue()));
    expect(await handle.result({ timeout: '20s' })).toBe(8);
    const run = await spans.run(handle.id);
    const senders = spans.sent().filter((span) => attribute(span, 'messaging.message.conversation_id') === handle.id);
    expect(senders.map(parentOf)).toEqual([request]);
    expect(linksOf(run)).toEqual(senders.map(placeOfSpan));
  });
}

describe('traces of calls in transactions of the database of the tasks', () => {
  beforeAll(async () => {
    database = await createOutbox('postgres');
    const options = { connection: database.url, prefix: 'tasks' };
    booted = await boot(options, [Work], false, [TaskTelemetryModule.forRoot()]);
    work = booted.queue.of(Work);
  });
  afterAll(async () => {
    await booted.app.close();
    await database.close();
  });

  declareTests();
});

describeEachEngine('traces of calls that go through an outbox', (engine) => {
  beforeAll(async () => {
    database = await createOutbox('postgres');
    const options = { ...(await engine.place()), outbox: { connection: database.url } };
    booted = await boot(options, [Work], false, [TaskTelemetryModule.forRoot()]);
    work = booted.queue.of(Work);
  });
  afterAll(async () => {
    await booted.app.close();
    await database.close();
  });

  declareTests();
});
