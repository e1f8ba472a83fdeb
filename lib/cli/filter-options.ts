import { Option, type Command } from 'commander';
import type { TaskFilter } from '../admin/task-filter.js';
import type { Duration } from '../duration.js';
import type { TaskState } from '../engine/task.js';
import { collect, pairsOf } from './parse-options.js';

/** The options that choose tasks. */
export interface FilterFlags {
  readonly queue?: string;
  readonly state?: TaskState;
  readonly name?: string;
  readonly header: readonly string[];
  readonly args?: string;
  readonly error?: string;
  readonly runningFor?: Duration;
  readonly enqueuedAfter?: string;
  readonly enqueuedBefore?: string;
  readonly root?: true;
  readonly workflow?: true;
}

/** Adds the options that choose tasks. The operation checks their values. */
export function withFilterOptions(command: Command): Command {
  return command
    .option('--queue <queue>', 'tasks of this queue')
    .option('--state <state>', 'queued, scheduled, waiting, running, retrying, succeeded, failed, cancelled or expired')
    .option('--name <task>', 'tasks of this name: ReportTasks.build')
    .addOption(
      new Option('--header <name=value>', 'tasks with this header; may be given again')
        .argParser(collect)
        .default([], 'none'),
    )
    .option('--args <text>', 'tasks whose arguments contain this text: ann@example.com')
    .option('--error <fingerprint>', 'tasks that failed with this error, see the command errors')
    .option('--running-for <duration>', 'tasks that have run for at least so long: 10m')
    .option('--enqueued-after <time>', 'tasks that were enqueued at this time or later: 2026-11-27T03:00Z')
    .option('--enqueued-before <time>', 'tasks that were enqueued before this time')
    .option('--root', 'tasks that no other task waits for: a workflow without its members is one task')
    .option(
      '--workflow',
      'whole workflows only; with --state failed also those whose queue is paused or has no worker',
    );
}

/** @throws CommandError for a header that is no pair */
export function filterOf(flags: FilterFlags): TaskFilter {
  const { queue, state, name, header, args, error, runningFor, enqueuedAfter, enqueuedBefore, root, workflow } = flags;
  const filter = { queue, state, name, args, error, runningFor, enqueuedAfter, enqueuedBefore, root, workflow };
  const given = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)) as TaskFilter;
  return header.length === 0 ? given : { ...given, header: pairsOf(header, '--header') };
}
