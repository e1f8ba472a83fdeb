import { describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';
import { ConfigurationError } from '../../../lib/errors.js';
import { DeclaredSchedules } from '../../../lib/schedules/declared-schedules.js';
import type { ScheduleOptions, When } from '../../../lib/schedules/schedule-options.js';
import { Schedule } from '../../../lib/schedules/schedule.decorator.js';
import { Task } from '../../../lib/tasks/task.decorator.js';
import { definitionsOf } from '../../../lib/tasks/task-definition.js';
import type { TaskExplorer } from '../../../lib/tasks/task-explorer.js';

/** The checked schedules that these classes declare. */
async function declaredBy(...classes: Type[]) {
  const explorer = {
    classes: () => classes.map((type) => ({ provider: {}, type, definitions: definitionsOf(type, {}) })),
  } as unknown as TaskExplorer;
  const template = async (name: string, args: readonly unknown[]) => ({
    ...{ name, args: args as never[], queue: 'default', headers: {}, options: {} },
  });
  const declared = new DeclaredSchedules(explorer, {}, template);
  await declared.load();
  return declared.list();
}

/** A class whose only task has this schedule. */
function scheduled(when: When, options: ScheduleOptions<[]> = {}): Type {
  class Reports {
    @Schedule(when, options)
    @Task()
    build(): void {}
  }
  return Reports;
}

describe('DeclaredSchedules', () => {
  it.each([
    ['@fortnightly', {}, '@Schedule("@fortnightly") of Reports.build has the cron expression "@fortnightly"'],
    ['0 0 30 2 *', {}, '@Schedule("0 0 30 2 *") of Reports.build has the cron expression "0 0 30 2 *"'],
    ['@daily', { timezone: 'Mars' }, '@Schedule("@daily") of Reports.build has the timezone "Mars"'],
    ['@daily', { overlap: 'queue' as never }, 'overlap of @Schedule("@daily") of Reports.build is "queue"'],
    ['@daily', { catchUp: 'all' as never }, 'catchUp of @Schedule("@daily") of Reports.build is "all"'],
    ['@daily', { id: 'two words' }, '@Schedule("@daily") of Reports.build has the id "two words"'],
    [{ every: '5ms' }, {}, 'every of @Schedule({"every":"5ms"}) of Reports.build is "5ms"'],
  ] as const)('refuses %j with %j, and the error names class and method', async (when, options, message) => {
    const loading = declaredBy(scheduled(when, options));
    await expect(loading).rejects.toBeInstanceOf(ConfigurationError);
    await expect(loading).rejects.toThrow(message);
  });

  it.each(['@hourly', '@daily', '@midnight', '@weekly', '@monthly', '@yearly', '@annually', '*/10 * * * * *'])(
    'accepts %s',
    async (cron) => {
      await expect(declaredBy(scheduled(cron))).resolves.toMatchObject([{ id: 'Reports.build', cron }]);
    },
  );

  it('lists inherited schedules, except of a method that the subclass schedules again', async () => {
    class Base {
      @Schedule('@daily', { id: 'kept' })
      @Task()
      kept(): void {}

      @Schedule('@daily', { id: 'replaced' })
      @Task()
      again(): void {}
    }
    class Special extends Base {
      @Schedule('@hourly', { id: 'other' })
      @Task()
      override again(): void {}
    }
    const declared = await declaredBy(Special);
    expect(declared).toMatchObject([
      { id: 'kept', template: { name: 'Special.kept' } },
      { id: 'other', cron: '@hourly' },
    ]);
  });
});
