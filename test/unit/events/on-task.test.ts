import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, type Type } from '@nestjs/common';
import { OnTask, Task, defineTask, type TaskEvent } from 'nestjs-task-queue';
import { boot, type Booted } from '../../support/boot.js';
import { until } from '../../support/until.js';

class Reports {
  @Task()
  build(): void {}
}

class NoTasks {}

let booted: Booted | undefined;
afterEach(() => booted?.app.close());

/** A provider whose decorator has these values, as plain JavaScript may give them. */
function listening(...values: unknown[]): Type {
  @Injectable()
  class Listener {
    @OnTask(...(values as ['failed']))
    on(): void {}
  }
  return Listener;
}

describe('@OnTask() keeps the application from starting', () => {
  it.each<[what: string, values: unknown[], message: string]>([
    [
      'a type that does not exist',
      ['fail'],
      '@OnTask() on Listener.on listens to "fail", which is no event. The events are enqueued,',
    ],
    ['one of several types', [['failed', 7]], 'listens to 7, which is no event.'],
    ['no type', [[]], '@OnTask() on Listener.on has no type of event.'],
    ['undefined for a type', [undefined], 'listens to undefined, which is no event.'],
    ['a filter that is none', ['failed', 'Reports.build'], 'The filter of @OnTask() on Listener.on is Reports.build.'],
    ['null for a filter', ['failed', null], 'The filter of @OnTask() on Listener.on is null.'],
    ['an unknown filter', ['failed', { name: 'x' }], '@OnTask() on Listener.on has no filter name.'],
    ['a task that is undefined', ['failed', { task: undefined }], 'The task of @OnTask() on Listener.on is undefined,'],
    ['a task that is a number', ['failed', { task: 5 }], 'The task of @OnTask() on Listener.on is 5.'],
    ['an empty name', ['failed', { task: '' }], 'The task of @OnTask() on Listener.on is "".'],
    ['a class without tasks', ['failed', { task: NoTasks }], 'is the class NoTasks, which has no tasks.'],
    [
      'a queue that is none',
      ['failed', { queue: 'a b' }],
      'The queue of @OnTask() on Listener.on is "a b", which is no queue name.',
    ],
  ])('for %s', async (_, values, message) => {
    const start = boot({ connection: 'memory:' }, [listening(...values)]);
    await expect(start).rejects.toMatchObject({ code: 'CONFIGURATION', message: expect.stringContaining(message) });
  });

  it('for a static method', async () => {
    @Injectable()
    class Misplaced {
      @OnTask('failed')
      static on(): void {}
    }
    await expect(boot({ connection: 'memory:' }, [Misplaced])).rejects.toThrow(
      '@OnTask() decorates Misplaced.on, which is static',
    );
  });
});

it('a method with several decorators is called once for each event', async () => {
  const heard: string[] = [];
  const other = defineTask<() => void>('other.task');
  @Injectable()
  class Listener {
    @OnTask('succeeded')
    @OnTask(['succeeded', 'started'], { task: Reports })
    @OnTask('enqueued', { task: other })
    [Symbol.for('on')]({ type, name }: TaskEvent): void {
      heard.push(`${type} ${name}`);
    }
  }
  @Injectable()
  class Other {
    @Task(other)
    run(): void {}
  }
  booted = await boot({ connection: 'memory:' }, [Reports, Other, Listener]);
  const { queue } = booted;
  await queue.of(Reports).build.enqueue();
  await queue.of(other).enqueue();
  await until(() => heard.length >= 4);
  expect(heard.toSorted()).toEqual([
    'enqueued other.task',
    'started Reports.build',
    'succeeded Reports.build',
    'succeeded other.task',
  ]);
});
