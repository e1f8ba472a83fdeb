import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { TaskQueueModule, TaskSchedules } from 'nestjs-task-queue';
import { TaskTesting } from 'nestjs-task-queue/testing';
import { CountersController } from '../src/counters/counters.controller.js';
import { CountersModule } from '../src/counters/counters.module.js';
import { newCounterForm } from '../src/counters/counter-form.js';
import { Database } from '../src/database/database.js';
import { openSqliteDatabase } from '../src/database/open-database.js';
import { DatabaseModule } from '../src/database/database.module.js';

describe('counters', () => {
  let moduleRef: TestingModule;
  let tasks: TaskTesting;
  let counters: CountersController;
  let database: Database;

  beforeEach(async () => {
    database = openSqliteDatabase(':memory:');
    const builder = Test.createTestingModule({ imports: [TaskQueueModule.forRoot(), DatabaseModule, CountersModule] })
      .overrideProvider(Database)
      .useValue(database);
    moduleRef = await TaskTesting.configure(builder).compile();
    tasks = moduleRef.get(TaskTesting);
    counters = moduleRef.get(CountersController);
  });
  afterEach(() => moduleRef.close());

  const form = newCounterForm.parse({
    id: 'reviews',
    counts: 'review',
    when: { every: '10m' },
    overlap: 'skip',
    catchUp: 'none',
  });
  const countsOf = async (id: string) => (await counters.list()).find((counter) => counter.id === id)?.counts;

  it('the counter of the decorator counts each minute', async () => {
    await tasks.advance('1m');
    await tasks.drain();
    expect(await countsOf('posts')).toMatchObject([{ value: 0, process: process.pid }]);
  });

  it('an administrator makes a counter, changes it, and removes it, while the application runs', async () => {
    await counters.create(form);
    await tasks.advance('10m');
    await tasks.drain();
    expect(await countsOf('reviews')).toHaveLength(1);

    const { id, ...settings } = form;
    await counters.change(id, { ...settings, when: { every: '1m' } });
    await tasks.advance('1m');
    await tasks.drain();
    expect(await countsOf('reviews')).toHaveLength(2);

    await counters.remove('reviews');
    expect(await countsOf('reviews')).toBeUndefined();
  });

  it('a taken name is refused, and so are the other schedules of the application', async () => {
    await tasks.drain();
    await counters.create(form);
    await expect(counters.create(form)).rejects.toThrow('The name “reviews” is taken.');
    // A schedule of this name is elsewhere in the application.
    await moduleRef.get(TaskSchedules).upsert('clean-up', { task: 'Others.cleanUp', every: '1h' });
    await expect(counters.pause('clean-up')).rejects.toThrow('There is no such counter.');
    expect((await counters.list()).map(({ id }) => id)).toEqual(['posts', 'reviews']);
  });
});
