import { afterEach, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { Task, TaskQueue, TaskQueueModule, type EnqueueOptions } from 'nestjs-task-queue';
import { TaskTesting } from 'nestjs-task-queue/testing';

@Injectable()
class Mails {
  @Task({ queue: 'mails' })
  async send(to: string): Promise<string> {
    return to;
  }

  @Task({ queue: 'mails', expires: '1h' })
  async remind(to: string): Promise<string> {
    return to;
  }
}

let moduleRef: TestingModule | undefined;
afterEach(() => moduleRef?.close());

async function start() {
  const builder = Test.createTestingModule({ imports: [TaskQueueModule.forRoot()], providers: [Mails] });
  moduleRef = await TaskTesting.configure(builder, { mode: 'manual' }).compile();
  await moduleRef.init();
  return { tasks: moduleRef.get(TaskTesting), mails: moduleRef.get(TaskQueue).of(Mails) };
}

it.each<['send' | 'remind', EnqueueOptions, 'startAt' | 'expiresAt']>([
  ['send', { delay: '1h' }, 'startAt'],
  ['send', { expires: '1h' }, 'expiresAt'],
  ['remind', {}, 'expiresAt'],
  ['remind', { retries: 2 }, 'expiresAt'],
])('%s with %j counts its duration from each call of one producer', async (task, options, time) => {
  const { tasks, mails } = await start();
  const producer = mails[task].with(options);
  await producer.enqueue('first');
  await tasks.advance('30m');
  await producer.enqueue('second');
  const times = tasks.enqueued().map((call) => call.options[time]);
  expect(times).toEqual([expect.any(Number), expect.any(Number)]);
  // The clock goes on while the test runs.
  expect((times[1] as number) - (times[0] as number)).toBeGreaterThanOrEqual(30 * 60_000);
});

it('checks wrong options at each call, and right ones stay right', async () => {
  const { tasks, mails } = await start();
  const wrong = mails.send.with({ retries: -1 });
  await expect(wrong.enqueue('first')).rejects.toThrow('with({ retries })');
  await expect(wrong.enqueue('second')).rejects.toThrow('with({ retries })');
  const right = mails.send.with({ retries: 2, timeout: '5s' });
  await right.enqueue('third');
  await right.enqueue('fourth');
  await right.with({ retries: 0 }).enqueue('fifth');
  expect(tasks.enqueued().map((call) => call.options)).toEqual([
    { attempts: 3, timeout: 5_000 },
    { attempts: 3, timeout: 5_000 },
    { attempts: 1, timeout: 5_000 },
  ]);
});
