import type { Command } from 'commander';
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
}

/** Adds the options that choose tasks. The operation checks their values. */
export function withFilterOptions(command: Command): Command {
  return command
    .option('--queue <queue>', 'tasks of this queue')
    .option('--state <state>', 'queued, scheduled, waiting, running, retrying, succeeded, failed, cancelled or expired')
    .option('--name <task>', 'tasks of this name: ReportTasks.build')
    .option('--header <name=value>', 'tasks with this header; may be given again', collect, [])
    .option('--args <text>', 'tasks whose arguments contain this text: ann@example.com')
    .option('--error <fingerprint>', 'tasks that failed with this error, see the command errors')
    .option('--running-for <duration>', 'tasks that have run for at least so long: 10m')
    .option('--enqueued-after <time>', 'tasks that were enqueued at this time or later: 2026-11-27T03:00Z')
    .option('--enqueued-before <time>', 'tasks that were enqueued before this time')
    .option('--root', 'whole workflows instead of their members');
}

/** @throws CommandError for a header that is no pair */
export function filterOf(flags: FilterFlags): TaskFilter {
  const { queue, state, name, header, args, error, runningFor, enqueuedAfter, enqueuedBefore, root } = flags;
  const filter = { queue, state, name, args, error, runningFor, enqueuedAfter, enqueuedBefore, root };
  const given = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)) as TaskFilter;
  return header.length === 0 ? given : { ...given, header: pairsOf(header, '--header') };
}
