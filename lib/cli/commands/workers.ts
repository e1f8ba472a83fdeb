import type { Command } from 'commander';
import type { WorkerInfo } from '../../admin/worker-info.js';
import type { Duration } from '../../duration.js';
import { confirm } from '../confirm.js';
import type { CommandContext } from '../command-context.js';
import type { Output } from '../output.js';
import { ageText } from '../words.js';

export function addWorkers(program: Command, context: CommandContext): void {
  program
    .command('workers')
    .description('the processes that run tasks, also those that were lost in the last ten minutes')
    .action((_options: unknown, command: Command) =>
      context.withStore(command, async ({ operator, out }) => {
        const found = await operator.workers();
        const now = await operator.now();
        out.print(found, (workers) => workersText(workers, out, now));
      }),
    );
  program
    .command('shutdown <worker>')
    .description('stop a worker as SIGTERM does: its running tasks get their time to end, and its process ends')
    .option('--grace <duration>', 'the time that running tasks get; default: shutdown.grace of the application')
    .option('--reason <text>', 'why, for those who watch')
    .option('-y, --yes', 'do not ask')
    .action((worker: string, { grace, reason, yes }: ShutdownFlags, command: Command) =>
      context.withStore(command, async ({ operator, out, terminal, actor }) => {
        await confirm(
          terminal,
          yes,
          `stops the worker ${worker}; its process ends, and does not start again by itself.`,
        );
        await operator.shutdown(worker, { ...actor(reason), ...(grace !== undefined && { grace }) });
        out.print(
          { worker, requested: true },
          () => `The worker ${worker} is told to stop. It leaves the list of workers when it has.\n`,
        );
      }),
    );
}

interface ShutdownFlags {
  readonly grace?: Duration;
  readonly reason?: string;
  readonly yes?: boolean;
}

/** @param now milliseconds */
export function workersText(workers: readonly WorkerInfo[], out: Pick<Output, 'table' | 'style'>, now: number): string {
  if (workers.length === 0) return 'No worker runs. Start the application, or its worker process.\n';
  return out.table(workers, [
    { title: 'WORKER', value: ({ id }) => id },
    {
      title: 'STATE',
      value: ({ state }) => state,
      paint: (text, { state }) => (state === 'alive' ? out.style.green(text) : out.style.red(text)),
    },
    { title: 'HOST', value: ({ host }) => host, shrinks: true },
    { title: 'PID', value: ({ pid }) => String(pid), align: 'right' },
    { title: 'APPLICATION', value: ({ application }) => application, shrinks: true },
    { title: 'VERSION', value: ({ version }) => version },
    { title: 'UP', value: ({ startedAt }) => ageText(startedAt, now), align: 'right' },
    { title: 'SEEN', value: ({ seenAt }) => `${ageText(seenAt, now)} ago`, align: 'right' },
    {
      title: 'QUEUES (AT ONCE)',
      value: ({ queues, concurrency }) => queues.map((name) => `${name} (${concurrency[name] ?? '?'})`).join(', '),
      shrinks: true,
    },
  ]);
}
