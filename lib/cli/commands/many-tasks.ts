import type { Command } from 'commander';
import type { BulkResult } from '../../admin/bulk/bulk-tally.js';
import type { TaskFilter } from '../../admin/task-filter.js';
import { isFinal } from '../../engine/task.js';
import type { BulkActName } from '../../admin/bulk/bulk-act.js';
import type { CommandContext, CommandRun } from '../command-context.js';
import { confirm } from '../confirm.js';
import { CommandError, EXIT, wrongUsage, type ExitCode } from '../exit-code.js';
import { filterOf, withFilterOptions, type FilterFlags } from '../filter-options.js';
import { anyNumber } from '../parse-options.js';
import { printable } from '../style.js';
import { count } from '../words.js';
import { cancelOne, forgetOne, retryOne } from './single-task.js';

interface ActFlags extends FilterFlags {
  readonly all?: true;
  readonly rate?: number;
  readonly reason?: string;
  readonly yes?: boolean;
  /** False with `--no-wait`. */
  readonly wait: boolean;
}

interface Act {
  readonly command: string;
  readonly description: string;
  readonly bulk: Exclude<BulkActName, 'purge'>;
  readonly one: (id: string, reason: string | undefined, run: CommandRun) => Promise<void>;
  /** The rest of "This …"; `undefined` when nothing has to be confirmed. */
  readonly warning?: string;
  /** What happened to the tasks. */
  readonly done: string;
}

const ACTS: readonly Act[] = [
  {
    command: 'retry',
    description:
      'run a task again that failed, expired or was cancelled, under its id; or all failed tasks that match the options',
    bulk: 'retryAll',
    one: retryOne,
    done: 'run again',
  },
  {
    command: 'cancel',
    description: 'cancel a task, whose signal is aborted when it runs; or all tasks that match the options',
    bulk: 'cancelAll',
    one: cancelOne,
    warning: 'cancels all tasks that have not ended',
    done: 'cancelled',
  },
  {
    command: 'forget',
    description: 'remove the record of a task that has ended; or of all that match the options',
    bulk: 'forgetAll',
    one: forgetOne,
    warning: 'removes the records of all tasks that have ended',
    done: 'removed',
  },
];

/** Milliseconds of one wait for the end of an act; the command then shows how far it is, and waits on. */
const WAIT_STEP = 2_000;

/** `retry`, `cancel` and `forget`, each for one task or for all that match, and `purge`. */
export function addManyTasksCommands(program: Command, context: CommandContext): void {
  for (const act of ACTS) addAct(program, context, act);
  program
    .command('purge <queue>')
    .description('remove all tasks of a queue that wait: queued and scheduled ones; running tasks go on')
    .option('--reason <text>', 'why, for those who watch')
    .option('-y, --yes', 'do not ask')
    .option('--no-wait', 'do not wait for the end')
    .action((queue: string, { reason, yes, wait }: ActFlags, command: Command) =>
      context.withStore(command, async (run) => {
        await confirm(run.terminal, yes, `removes all tasks that wait in the queue ${queue}, for good.`);
        return follow(await run.operator.purge(queue, run.actor(reason)), 'removed', wait, run);
      }),
    );
}

function addAct(program: Command, context: CommandContext, act: Act): void {
  const command = withFilterOptions(program.command(`${act.command} [id]`).description(act.description))
    .option('--all', 'all tasks, without another condition')
    .option('--reason <text>', 'why, for those who watch; of cancel, the message of the error of the task')
    .option('-y, --yes', 'do not ask')
    .option('--no-wait', 'do not wait for the end of an act on many tasks');
  if (act.bulk === 'retryAll') command.option('--rate <tasks>', 'the most tasks per second', anyNumber);
  command.action((id: string | undefined, flags: ActFlags, called: Command) => {
    const filter = filterOf(flags);
    const isFiltered = Object.keys(filter).length > 0;
    if ((id === undefined) !== (isFiltered || flags.all === true)) {
      throw wrongUsage(
        id === undefined
          ? `Give the id of a task, options that choose tasks, such as --queue, or --all for all of them.`
          : `Give either the id of a task or options that choose tasks, not both.`,
      );
    }
    if (isFiltered && flags.all) throw wrongUsage('--all is for all tasks. Leave it out where options choose tasks.');
    return context.withStore(called, async (run) => {
      if (id !== undefined) return act.one(id, flags.reason, run);
      return onMany(act, filter, flags, run);
    });
  });
}

async function onMany(act: Act, filter: TaskFilter, flags: ActFlags, run: CommandRun): Promise<ExitCode> {
  // The filter is checked before anybody is asked, and nothing is read but one task.
  await run.operator.tasks(filter, { limit: 1 });
  if (act.warning) await confirm(run.terminal, flags.yes, `${act.warning}${conditionsText(filter)}.`);
  const rate = flags.rate === undefined ? {} : { rate: flags.rate };
  const stored = await run.operator.actOnAll(act.bulk, filter, { ...run.actor(flags.reason), ...rate });
  return follow(stored, act.done, flags.wait, run);
}

function conditionsText(filter: TaskFilter): string {
  const texts = Object.entries(filter).map(([name, value]) =>
    value === true ? name : `${name} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`,
  );
  return texts.length === 0 ? ', of all queues' : ` and match ${texts.join(', ')}`;
}

/** Waits for the end of an act, which is a task of its own: it goes on when the command is interrupted. */
async function follow(
  { id, workers }: { readonly id: string; readonly workers: number },
  done: string,
  wait: boolean,
  run: CommandRun,
): Promise<ExitCode> {
  const { operator, out } = run;
  if (!wait || workers === 0) {
    const why = workers === 0 ? 'No worker runs now; the next one that starts performs it.' : `See: show ${id}`;
    out.print({ id, state: 'queued' }, () => `Stored as ${id}. ${why}\n`);
    return EXIT.done;
  }
  let status = await operator.untilFinal(id, WAIT_STEP);
  while (!isFinal(status.state)) {
    if (run.terminal.isInteractive)
      out.note(`${progressText(status.progress)} so far; it goes on without this command: show ${id}`);
    status = await operator.untilFinal(id, WAIT_STEP);
  }
  if (status.state !== 'succeeded') {
    throw new CommandError(`The act ${id} ended as ${status.state}: ${status.error?.message ?? 'no reason is known'}`);
  }
  const result = status.result as BulkResult;
  out.print({ id, ...result }, () => resultText(result, done));
  return result.refusedCount > 0 ? EXIT.failed : EXIT.done;
}

/** `1 task`, or `1 of about 20 tasks` once the act knows how many there are. */
export function progressText(progress: unknown): string {
  const {
    current = 0,
    total,
    isEstimate,
  } = (progress ?? {}) as Partial<Record<'current' | 'total', number>> & {
    readonly isEstimate?: boolean;
  };
  if (total === undefined) return count(current, 'task');
  return `${current} of ${isEstimate ? 'about ' : ''}${count(total, 'task')}`;
}

function resultText({ done: number, refused, refusedCount }: BulkResult, done: string): string {
  const lines = refused.slice(0, 10).map(({ id, reason }) => `  ${id}: ${printable(reason)}\n`);
  const more = refusedCount > lines.length ? `  and ${refusedCount - lines.length} more, see --json\n` : '';
  const head = `${count(number, 'task')} ${number === 1 ? 'is' : 'are'} ${done}.\n`;
  return refusedCount === 0 ? head : `${head}${count(refusedCount, 'task')} refused it:\n${lines.join('')}${more}`;
}
