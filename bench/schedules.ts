import { Task, TaskSchedules } from 'nestjs-task-queue';
import { compare, type Course, type Row } from './harness/compare.js';
import type { Contenders, StartContender } from './harness/contender.js';
import { appAt } from './peers/apps.js';

export const about =
  'A call of TaskSchedules in an application with 10,000 schedules that were made at run time, against the same call with 10; and 1,000 upserts at once.';

/** Calls of each kind in a round, one after the other. */
const CALLS = 200;
const BURST = 1_000;

class Mails {
  @Task('Mails.digest')
  async digest(_user: string): Promise<void> {}
}

function withSchedules(count: number): StartContender {
  return async (place) => {
    const { app } = await appAt(place, { role: 'both' }, { providers: [Mails] });
    const schedules = app.get(TaskSchedules);
    const set = (user: number) =>
      schedules.upsert(`digest-${user}`, {
        task: 'Mails.digest',
        cron: '0 8 * * 1',
        timezone: 'America/New_York',
        args: [String(user)],
      });
    for (let user = 0; user < count; user += BURST) {
      await Promise.all(Array.from({ length: Math.min(BURST, count - user) }, (_, index) => set(user + index)));
    }
    const perCall = async (call: (user: number) => Promise<unknown>) => {
      const begun = performance.now();
      for (let index = 0; index < CALLS; index++) await call(index % count);
      return (performance.now() - begun) / CALLS;
    };
    return {
      info: undefined,
      async round() {
        const upsert = await perCall(set);
        const get = await perCall((user) => schedules.get(`digest-${user}`));
        const remove = await perCall(async (user) => {
          await schedules.remove(`digest-${user}`);
          await set(user);
        });
        const begun = performance.now();
        await Promise.all(Array.from({ length: BURST }, (_, user) => set(user % count)));
        return {
          'ms for upsert': upsert,
          'ms for get': get,
          'ms for remove and upsert': remove,
          'ms for 1,000 upserts at once': performance.now() - begun,
        };
      },
      close: () => app.close(),
    };
  };
}

export const contenders: Contenders = { '10 schedules': withSchedules(10), '10,000 schedules': withSchedules(10_000) };

export async function run(course: Course): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [what, store] of [
    ['Redis', 'redis'],
    ['PostgreSQL', 'postgres'],
  ] as const) {
    const match = { what, store, peer: { name: '10 schedules' } };
    rows.push(...(await compare(course, { ...match, rivals: [{ name: '10,000 schedules', target: { atMost: 2 } }] })));
  }
  return rows;
}
