import type { Command } from 'commander';
import type { ScheduleStatus } from '../../schedules/schedule-status.js';
import type { CommandContext } from '../command-context.js';
import type { Output } from '../output.js';
import { timeText } from '../words.js';

export function addSchedules(program: Command, context: CommandContext): void {
  program
    .command('schedules')
    .description('the schedules with their next and last runs')
    .action((_options: unknown, command: Command) =>
      context.withStore(command, async ({ operator, out }) => {
        out.print(await operator.schedules(), (schedules) => schedulesText(schedules, out));
      }),
    );
}

export function schedulesText(schedules: readonly ScheduleStatus[], out: Pick<Output, 'table' | 'style'>): string {
  if (schedules.length === 0) return 'There is no schedule.\n';
  const broken = schedules.filter((schedule) => schedule.broken !== null);
  const table = out.table(schedules, [
    { title: 'SCHEDULE', value: ({ id }) => id, shrinks: true },
    {
      title: 'STATE',
      value: stateOf,
      paint: (text, schedule) =>
        schedule.broken ? out.style.red(text) : schedule.paused ? out.style.yellow(text) : text,
    },
    { title: 'WHEN', value: ({ expression }) => expression || null },
    { title: 'ZONE', value: ({ timezone }) => timezone },
    { title: 'TASK', value: ({ task }) => task, shrinks: true },
    { title: 'NEXT RUN (UTC)', value: ({ nextRun }) => timeText(nextRun) },
    { title: 'LAST RUN (UTC)', value: ({ lastRun }) => timeText(lastRun?.enqueuedAt ?? null) },
    {
      title: 'ENDED AS',
      value: ({ lastRun }) => lastRun?.state ?? null,
      paint: (text, { lastRun }) => (lastRun?.state === 'failed' ? out.style.red(text) : text),
    },
  ]);
  return table + broken.map(({ id, broken: reason }) => `Schedule ${id} is broken: ${reason}\n`).join('');
}

function stateOf({ broken, paused, nextRun }: ScheduleStatus): string {
  if (broken !== null) return 'broken';
  if (paused) return 'paused';
  return nextRun === null ? 'ended' : 'active';
}
