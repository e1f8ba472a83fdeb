import {
  Schedule,
  Task,
  type Duration,
  type TaskHandle,
  type TaskProducer,
  type Tasks,
  type TaskSchedules,
  type ScheduleStatus,
} from 'nestjs-task-queue';
import { expectType, typeTest, type Equal } from '../support/type-test.js';

type Kind = 'morning' | 'evening';

class Reports {
  @Task()
  async build(_kind: Kind, _pages = 1): Promise<{ url: string }> {
    return { url: '' };
  }

  @Task()
  clean(): void {}

  @Task()
  list(_filter: { tags: string[]; limit?: number }): void {}
}

declare const schedules: TaskSchedules;
declare const reports: Tasks<Reports>;

typeTest('@Schedule() compiles on a method that takes its arguments', () => {
  class Fine {
    @Schedule('0 7 * * *', { args: ['morning'] })
    @Schedule({ every: '10m' }, { args: ['evening', 3], id: 'second', overlap: 'skip', catchUp: 'none' })
    @Task()
    async build(_kind: Kind, _pages = 1): Promise<void> {}

    @Schedule('@daily', { timezone: 'Europe/Berlin' })
    @Task()
    clean(): void {}

    @Schedule('@daily')
    @Schedule('@daily', { args: [3] })
    @Task()
    optional(_days?: number): void {}

    @Schedule('@daily', { args: ['a', 'b', 'c'] })
    @Task()
    rest(..._names: string[]): void {}

    @Schedule('@daily', { args: [new Date(0), { kind: 'morning', all: [['evening']] }] })
    @Task()
    nested(_since: Date, _filter: { kind: Kind; all: Kind[][] }): void {}

    @Schedule('@daily', { args: [{ tags: ['a', 'b'] }] })
    @Task()
    list(_filter: { tags: string[]; limit?: number }): void {}
  }
  void Fine;
});

typeTest('@Schedule() does not compile on a method that does not take its arguments', () => {
  class Wrong {
    // @ts-expect-error an argument is missing
    @Schedule('@daily')
    missing(_kind: string): void {}

    // @ts-expect-error a number is no text
    @Schedule('@daily', { args: [1] })
    other(_kind: string): void {}

    // @ts-expect-error 'noon' is not in the union
    @Schedule('@daily', { args: ['noon'] })
    choice(_kind: Kind): void {}

    // @ts-expect-error the method takes only one argument
    @Schedule('@daily', { args: ['a', 'b'] })
    tooMany(_kind: string): void {}

    // @ts-expect-error tags are text
    @Schedule('@daily', { args: [{ tags: [1] }] })
    nested(_filter: { tags: string[] }): void {}
  }
  void Wrong;
});

typeTest('@Schedule() checks its options', () => {
  const every: { every: Duration } = { every: 500 };
  Schedule(every);
  // @ts-expect-error no such option
  Schedule('@daily', { timeZone: 'UTC' });
  // @ts-expect-error no such unit
  Schedule({ every: '10 minutes' });
  // @ts-expect-error no such choice
  Schedule('@daily', { overlap: 'queue' });
});

typeTest('upsert() checks the arguments of the producer', async () => {
  const status = await schedules.upsert('a', { task: reports.build, args: ['morning'], cron: '@daily' });
  expectType<Equal<typeof status, ScheduleStatus>>();
  await schedules.upsert('a', {
    task: reports.build.with({ retries: 3 }),
    args: ['evening', 2],
    every: '1h',
    limit: 3,
  });
  await schedules.upsert('a', { task: reports.clean, cron: '@daily', endsAt: new Date() });
  await schedules.upsert('a', { task: reports.list, args: [{ tags: [] }], cron: '@daily', timezone: 'UTC' });
  // @ts-expect-error an argument is missing
  await schedules.upsert('a', { task: reports.build, cron: '@daily' });
  // @ts-expect-error 'noon' is not in the union
  await schedules.upsert('a', { task: reports.build, args: ['noon'], cron: '@daily' });
  // @ts-expect-error the task takes no argument
  await schedules.upsert('a', { task: reports.clean, args: [1], cron: '@daily' });
});

typeTest('upsert() takes any arguments for a task by its name', async () => {
  await schedules.upsert('a', { task: 'reports.build', args: [1, 'two', { three: 3 }], cron: '@daily' });
  await schedules.upsert('a', { task: 'reports.build', every: '1h' });
  const untyped = null as unknown as TaskProducer;
  await schedules.upsert('a', { task: untyped, args: [1], every: '1h' });
});

typeTest('upsert() takes cron or every, but not both and not neither', async () => {
  // @ts-expect-error both
  await schedules.upsert('a', { task: reports.clean, cron: '@daily', every: '1h' });
  // @ts-expect-error neither
  await schedules.upsert('a', { task: reports.clean });
});

typeTest('the methods of TaskSchedules return their types', async () => {
  expectType<Equal<Awaited<ReturnType<typeof schedules.list>>, ScheduleStatus[]>>();
  expectType<Equal<Awaited<ReturnType<typeof schedules.get>>, ScheduleStatus | undefined>>();
  expectType<Equal<Awaited<ReturnType<typeof schedules.runNow>>, TaskHandle>>();
  expectType<Equal<Awaited<ReturnType<typeof schedules.remove>>, boolean>>();
});
