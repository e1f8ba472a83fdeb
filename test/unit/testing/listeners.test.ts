import { afterEach, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { OnTask, Task, TaskQueue, TaskQueueModule, type TaskEvent } from 'nestjs-task-queue';
import { TaskTesting, type TaskTestingMode } from 'nestjs-task-queue/testing';
import { setTimeout as sleep } from 'node:timers/promises';

@Injectable()
class Mails {
  @Task({ retries: 1, backoff: { type: 'fixed', delay: '1m', jitter: 0 } })
  async send(to: string): Promise<string> {
    if (to === 'nobody') throw new Error('no such address');
    return to;
  }

  @Task()
  alert(): void {}

  @Task()
  endless(): void {}
}

@Injectable()
class Listener {
  readonly heard: string[] = [];

  constructor(private readonly queue: TaskQueue) {}

  @OnTask(['enqueued', 'started', 'succeeded', 'retrying', 'failed', 'cancelled', 'expired'], { task: Mails })
  async on({ type, name, duration }: TaskEvent): Promise<void> {
    await sleep(5);
    this.heard.push(`${type} ${name.slice('Mails.'.length)}${duration === null ? '' : ' after a while'}`);
  }

  @OnTask('failed', { task: 'Mails.send' })
  async alert(): Promise<void> {
    await sleep(5);
    await this.queue.of(Mails).alert.enqueue();
  }

  @OnTask('succeeded', { task: 'Mails.endless' })
  async again(): Promise<void> {
    await this.queue.of(Mails).endless.enqueue();
  }
}

let moduleRef: TestingModule | undefined;
afterEach(async () => {
  jest.useRealTimers();
  await moduleRef?.close();
});

async function start(mode: TaskTestingMode, ...more: (new () => object)[]) {
  const builder = Test.createTestingModule({
    imports: [TaskQueueModule.forRoot()],
    providers: [Mails, Listener, ...more],
  });
  moduleRef = await TaskTesting.configure(builder, { mode }).compile();
  await moduleRef.init();
  return {
    tasks: moduleRef.get(TaskTesting),
    mails: moduleRef.get(TaskQueue).of(Mails),
    heard: moduleRef.get(Listener).heard,
  };
}

it('drain() waits for listeners, and runs what they enqueue', async () => {
  const { tasks, mails, heard } = await start('manual');
  await mails.send.enqueue('nobody');
  await mails.send.enqueue('ann');
  expect(await tasks.drain({ failures: 'collect' })).toMatchObject({ succeeded: 1, retrying: 1 });
  expect(heard).toEqual([
    ...['enqueued send', 'enqueued send', 'started send', 'retrying send after a while'],
    ...['started send', 'succeeded send after a while'],
  ]);
  heard.length = 0;
  await tasks.advance('1m');
  expect(await tasks.drain({ failures: 'collect' })).toMatchObject({ failed: 1, succeeded: 1 });
  expect(heard).toEqual([
    ...['started send', 'failed send after a while'],
    ...['enqueued alert', 'started alert', 'succeeded alert after a while'],
  ]);
});

it('listeners hear of cancelled and expired tasks', async () => {
  const { tasks, mails, heard } = await start('manual');
  const handle = await mails.send.enqueue('ann');
  await mails.send.with({ expires: '1s' }).enqueue('bob');
  await tasks.advance('2s');
  await handle.cancel();
  await tasks.drain();
  expect(heard).toEqual(['enqueued send', 'enqueued send', 'cancelled send', 'expired send']);
});

it('inline: a call ends after the listeners to its task', async () => {
  const { mails, heard } = await start('inline');
  await mails.send.enqueue('nobody');
  expect(heard).toEqual([
    ...['enqueued send', 'started send', 'retrying send after a while', 'started send', 'failed send after a while'],
    ...['enqueued alert', 'started alert', 'succeeded alert after a while'],
  ]);
});

it('drain() tells of listeners and tasks that call each other without an end', async () => {
  const { tasks, mails } = await start('manual');
  await mails.endless.enqueue();
  await expect(tasks.drain({ limit: 20 })).rejects.toThrow(
    'The tasks have no end: 20 of them enqueued each other in a row.',
  );
});

it('drain() does not wait for ever for a listener that hangs, and not twice', async () => {
  @Injectable()
  class Hanging {
    @OnTask('started')
    on(): Promise<void> {
      return new Promise(() => undefined);
    }
  }
  const { tasks, mails } = await start('manual', Hanging);
  const handle = await mails.send.enqueue('ann');
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
  const ended = jest.fn();
  const drained = tasks.drain().finally(ended);
  // What comes before the wait takes turns of the event loop, and no time.
  while ((await handle.status()).state !== 'succeeded') await new Promise((resolve) => setImmediate(resolve));
  let waited = 0;
  for (; ended.mock.calls.length === 0 && waited < 60_000; waited += 100) {
    await new Promise((resolve) => setImmediate(resolve));
    await jest.advanceTimersByTimeAsync(100);
  }
  expect(waited).toBeGreaterThanOrEqual(2_000);
  expect(waited).toBeLessThan(4_000);
  expect(await drained).toMatchObject({ succeeded: 1 });
});
