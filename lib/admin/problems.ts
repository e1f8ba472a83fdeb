import { finding, type Finding } from '../engine/ports/diagnosis-port.js';
import type { WorkerInfo } from './worker-info.js';

/** What {@link problemsOf} has to know of a schedule. */
export interface ScheduleState {
  readonly id: string;
  readonly broken: string | null;
}

/** What was read of a store. */
export interface StoreState {
  readonly workers: readonly WorkerInfo[];
  readonly schedules: readonly ScheduleState[];
}

/** Names that one sentence lists; the others are counted. */
const MOST_NAMES = 5;

/** What is wrong right now, in words and with the cure; the worst comes first. An empty list: nothing is. */
export function problemsOf(state: StoreState): Finding[] {
  const problems = [...workerProblems(state), ...scheduleProblems(state)];
  return problems.toSorted((a, b) => Number(b.level === 'fail') - Number(a.level === 'fail'));
}

function workerProblems({ workers }: StoreState): Finding[] {
  const lost = workers.filter(({ state }) => state === 'lost');
  if (lost.length === 0) return [];
  const names = listText(lost.map(({ host, pid, seenAt }) => `${host} (process ${pid}, last seen ${timeOf(seenAt)})`));
  return [
    finding(
      'workers',
      'warn',
      `${plural(lost.length, 'worker')} ${lost.length === 1 ? 'was' : 'were'} lost in the last ten minutes: ${names}.`,
      'Its tasks run again elsewhere by themselves. See why the process ended: its log, the memory limit of its host (OOM), the deploy.',
    ),
  ];
}

function scheduleProblems({ schedules }: StoreState): Finding[] {
  return schedules.flatMap(({ id, broken }) =>
    broken === null
      ? []
      : [
          finding(
            'schedules',
            'fail',
            `The schedule ${id} is broken and does not run: ${broken}`,
            'Set it again with TaskSchedules.upsert(), or remove it.',
          ),
        ],
  );
}

/** `1 worker`, `2 workers`. */
export function plural(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}

export function listText(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).join(', ');
  return names.length > MOST_NAMES ? `${shown} and ${names.length - MOST_NAMES} more` : shown;
}

/** `2026-11-27 03:10 UTC` */
function timeOf(iso: string): string {
  return `${iso.slice(0, 16).replace('T', ' ')} UTC`;
}
