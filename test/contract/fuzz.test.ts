import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { getQueueToken } from '@nestjs/bullmq';
import type { Queue } from 'bullmq';
import fc from 'fast-check';
import { Task, TaskContext, TaskQueueError, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { until } from '../support/until.js';

@Injectable()
class Echo {
  constructor(private readonly task: TaskContext) {}

  @Task()
  say(...args: unknown[]): unknown {
    return { args, headers: { ...this.task.headers } };
  }
}

/** Any text, also with half surrogate pairs and control characters. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom('', '\0', '\ud800', '__proto__', ':'),
);
const json = fc.jsonValue({ maxDepth: 4, noUnicodeString: false });
const headers = fc.dictionary(text, text, { maxKeys: 4 });

describeEachEngine('random input', (engine) => {
  let booted: Booted;
  let echo: Tasks<Echo>;

  beforeAll(async () => {
    booted = await boot(await engine.place(), [Echo]);
    echo = booted.queue.of(Echo);
  });
  afterAll(() => booted.app.close());

  it('a task gets its arguments and headers as they were sent, or the call is refused before it is stored', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(json, { maxLength: 3 }), headers, async (args, given) => {
        const handle = await echo.say
          .with({ headers: given })
          .enqueue(...args)
          .catch((error: unknown) => {
            expect(error).toMatchObject({ code: 'NOT_SERIALIZABLE', path: expect.any(String) as unknown });
          });
        if (!handle) return;
        const echoed = await handle.result({ timeout: '10s' });
        expect(echoed).toEqual(JSON.parse(JSON.stringify({ args, headers: given })));
      }),
      { numRuns: 60, endOnFailure: true },
    );
  });

  it('two calls with the same idempotency key make one task', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (idempotencyKey) => {
        const call = () => echo.say.with({ idempotencyKey }).enqueue(1);
        const [first, second] = await Promise.allSettled([call(), call()]);
        if (first.status === 'rejected') expect(first.reason).toBeInstanceOf(TaskQueueError);
        else expect(second).toMatchObject({ status: 'fulfilled', value: { id: first.value.id } });
      }),
      { numRuns: 40, endOnFailure: true },
    );
  });

  it('no task is found for a random id', async () => {
    const id = fc.oneof(
      text,
      fc.stringMatching(/^default\.[\w-]{22}$/),
      fc.string({ minLength: 9_000, maxLength: 10_000 }),
    );
    await fc.assert(
      fc.asyncProperty(id, async (some) => {
        await expect(booted.queue.handle(some).status()).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
      }),
      { numRuns: 60, endOnFailure: true },
    );
  });

  // Other BullMQ clients do not reach the memory of this process.
  if (engine.name !== 'memory') {
    it('a job of another BullMQ client ends whatever its data is, and the queue goes on', async () => {
      const native = booted.app.get<Queue>(getQueueToken('default'));
      const data = fc.oneof(
        json,
        fc.record({ args: json, headers: json }),
        fc.record({ args: fc.array(json), note: json }),
      );
      await fc.assert(
        fc.asyncProperty(data, async (some) => {
          fc.pre(!/\\u0000|\\ud[89a-f]/i.test(JSON.stringify(some)));
          const job = await native.add('Echo.say', some);
          await until(async () => ['completed', 'failed'].includes(await job.getState()), 'the job ends', 5_000);
          await expect(echo.say.enqueue(1).then((handle) => handle.result({ timeout: '10s' }))).resolves.toBeTruthy();
        }),
        { numRuns: 40, endOnFailure: true },
      );
    });
  }
});
