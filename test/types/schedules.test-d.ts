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

typeTest('a decorator fits a method that can be called with its arguments', () => {
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

typeTest('and no other', () => {
  class Wrong {
    // @ts-expect-error it needs an argument
    @Schedule('@daily')
    missing(_kind: string): void {}

    // @ts-expect-error a number is no text
    @Schedule('@daily', { args: [1] })
    other(_kind: string): void {}

    // @ts-expect-error none of those
    @Schedule('@daily', { args: ['noon'] })
    choice(_kind: Kind): void {}

    // @ts-expect-error it takes only one
    @Schedule('@daily', { args: ['a', 'b'] })
    tooMany(_kind: string): void {}

    // @ts-expect-error tags are text
    @Schedule('@daily', { args: [{ tags: [1] }] })
    nested(_filter: { tags: string[] }): void {}
  }
  void Wrong;
});

typeTest('a decorator knows its options', () => {
  const every: { every: Duration } = { every: 500 };
  Schedule(every);
  // @ts-expect-error no such option
  Schedule('@daily', { timeZone: 'UTC' });
  // @ts-expect-error no such unit
  Schedule({ every: '10 minutes' });
  // @ts-expect-error no such choice
  Schedule('@daily', { overlap: 'queue' });
});

typeTest('the arguments of a schedule at run time are those of the producer', async () => {
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
  // @ts-expect-error it needs an argument
  await schedules.upsert('a', { task: reports.build, cron: '@daily' });
  // @ts-expect-error none of those
  await schedules.upsert('a', { task: reports.build, args: ['noon'], cron: '@daily' });
  // @ts-expect-error it takes none
  await schedules.upsert('a', { task: reports.clean, args: [1], cron: '@daily' });
});

typeTest('a task by name takes anything', async () => {
  await schedules.upsert('a', { task: 'reports.build', args: [1, 'two', { three: 3 }], cron: '@daily' });
  await schedules.upsert('a', { task: 'reports.build', every: '1h' });
  const untyped = null as unknown as TaskProducer;
  await schedules.upsert('a', { task: untyped, args: [1], every: '1h' });
});

typeTest('one time, not two and not none', async () => {
  // @ts-expect-error both
  await schedules.upsert('a', { task: reports.clean, cron: '@daily', every: '1h' });
  // @ts-expect-error neither
  await schedules.upsert('a', { task: reports.clean });
});

typeTest('what can be asked', async () => {
  expectType<Equal<Awaited<ReturnType<typeof schedules.list>>, ScheduleStatus[]>>();
  expectType<Equal<Awaited<ReturnType<typeof schedules.get>>, ScheduleStatus | undefined>>();
  expectType<Equal<Awaited<ReturnType<typeof schedules.runNow>>, TaskHandle>>();
  expectType<Equal<Awaited<ReturnType<typeof schedules.remove>>, boolean>>();
});
