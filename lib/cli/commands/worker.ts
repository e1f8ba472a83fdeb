import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import type { WorkerFlags } from '../../supervisor/settings.js';
import type { CommandContext } from '../command-context.js';
import { CommandError, EXIT, type ExitCode } from '../exit-code.js';

const HELP = `
Each option has a variable: TASK_QUEUE_MODULE for the file, TASK_QUEUE_QUEUES, TASK_QUEUE_CONCURRENCY, TASK_QUEUE_PROCESSES,
TASK_QUEUE_MAX_TASKS, TASK_QUEUE_MAX_MEMORY, TASK_QUEUE_GRACE, TASK_QUEUE_HEALTH_PORT, TASK_QUEUE_HEALTH_HOST, TASK_QUEUE_WATCH.
The command line takes precedence over the variables, and they over what forRoot() says.

Signals: SIGTERM and SIGINT stop, a second one ends at once; SIGHUP replaces one process after the other.
Exit codes: 0 stopped, 1 no process came up, 2 wrong usage or configuration, 130 and 143 after a second SIGINT or SIGTERM.`;

export function addWorker(program: Command, context: CommandContext): void {
  program
    .command('worker [module]')
    .description('run the tasks of an application, in processes without HTTP: worker ./dist/app.module.js#AppModule')
    .option('--queues <names>', 'the queues whose tasks run, with commas between; default: those of the application')
    .option('--concurrency <number>', 'tasks at once, of each queue and in each process')
    .option('--processes <number>', 'how many processes, or auto: one for each processor; default: 1')
    .option('--max-tasks <number>', 'replace a process after this number of tasks')
    .option('--max-memory <size>', 'replace a process that needs more resident memory: 512mb, 1.5gb')
    .option('--grace <duration>', 'how long running tasks may go on when a process stops: 30s, 5m')
    .option('--health-port <port>', 'serve /live, /ready and /metrics there')
    .option('--health-host <address>', 'the address of that port; default: 127.0.0.1')
    .option('--watch', 'restart on a new build')
    .addHelpText('after', HELP)
    .action(async (module: string | undefined, flags: WorkerFlags, command: Command) => {
      context.exitCode = await runModule(module, flags, command, context);
    });
}

/** Nothing of Nest is loaded here, so that the supervisor starts at once and stays small. */
async function runModule(
  module: string | undefined,
  flags: WorkerFlags,
  command: Command,
  context: CommandContext,
): Promise<ExitCode> {
  const { terminal } = context;
  const [{ findApplication, programOfApplication }, { resolveSettings }, { runWorker }] = await Promise.all([
    import('../../supervisor/application-file.js'),
    import('../../supervisor/settings.js'),
    import('../../supervisor/run-worker.js'),
  ]);
  const application = findApplication(module ?? terminal.env['TASK_QUEUE_MODULE']?.trim(), terminal.folder);
  const installed = programOfApplication(application);
  if (installed !== undefined) {
    // The application has a copy of this package of its own, whose program reads the same arguments, and sets the exit code.
    await import(pathToFileURL(installed).href);
    return EXIT.done;
  }
  const settings = resolveSettings(flags, terminal.env);
  const { url, prefix } = context.flagsOf(command);
  const env = {
    ...terminal.env,
    ...(url !== undefined && { TASK_QUEUE_URL: url }),
    ...(prefix !== undefined && { TASK_QUEUE_PREFIX: prefix }),
  };
  const end = await runWorker({ application, settings, env, write: (text) => terminal.write(text) });
  if (end.kind === 'stopped') return EXIT.done;
  if (end.kind === 'interrupted') return end.signal === 'SIGINT' ? EXIT.interrupted : EXIT.terminated;
  throw new CommandError(
    `No process of ${application.shown} came up: ${end.reason}`,
    end.isLasting ? EXIT.usage : EXIT.failed,
  );
}
