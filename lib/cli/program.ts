import { Command, CommanderError, Option } from 'commander';
import { packageVersion } from '../package-location.cjs';
import { CommandContext } from './command-context.js';
import { addCodemod } from './commands/codemod.js';
import { addEnqueue } from './commands/enqueue.js';
import { addManyTasksCommands } from './commands/many-tasks.js';
import { addMigrate } from './commands/migrate.js';
import { addDoctor } from './commands/doctor.js';
import { addErrors } from './commands/errors.js';
import { addList } from './commands/list.js';
import { addLogs } from './commands/logs.js';
import { addSchedules } from './commands/schedules.js';
import { addShow } from './commands/show.js';
import { addSingleTaskCommands } from './commands/single-task.js';
import { addOutbox } from './commands/outbox.js';
import { addPause } from './commands/pause.js';
import { addReplay } from './commands/replay.js';
import { addStatus } from './commands/status.js';
import { addWorker } from './commands/worker.js';
import { addWorkers } from './commands/workers.js';
import { EXIT, exitCodeOf, type ExitCode } from './exit-code.js';
import { collect } from './parse-options.js';
import { printable } from './style.js';
import type { Terminal } from './terminal.js';

const COMMANDS = [
  addStatus,
  addList,
  addShow,
  addErrors,
  addLogs,
  addManyTasksCommands,
  addSingleTaskCommands,
  addPause,
  addEnqueue,
  addWorker,
  addWorkers,
  addSchedules,
  addDoctor,
  addReplay,
  addMigrate,
  addOutbox,
  addCodemod,
];

const EXIT_CODES = `
Exit codes: 0 done, 1 failed, refused or not found, 2 wrong usage (nothing was done), 3 the engine cannot be reached or used.
The store is that of TASK_QUEUE_URL and TASK_QUEUE_PREFIX unless --url and --prefix name another one.`;

/** Runs the command line once. @param args without the paths of Node and of the program @returns the exit code */
export async function run(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const context = new CommandContext(terminal);
  const program = createProgram(context);
  try {
    if (args.length === 0) program.help({ error: true });
    await program.parseAsync(args, { from: 'user' });
    return context.exitCode;
  } catch (error) {
    // Commander has printed its message. Help that was asked for is no error.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    const message = error instanceof Error ? error.message : String(error);
    terminal.writeError(`${printable(withOptionNames(message))}\n`);
    return exitCodeOf(error);
  }
}

/** `TaskAdmin` names parameters of code, and people here give options: `filter.runningFor` is `--running-for`. */
function withOptionNames(message: string): string {
  return message.replaceAll(
    /\bfilter\.(\w+)/g,
    (_, name: string) => `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
  );
}

function createProgram(context: CommandContext): Command {
  const { terminal } = context;
  const program = new Command('nestjs-task-queue')
    .usage('<command> [options]')
    .description('Shows and controls the tasks of an application: nestjs-task-queue status')
    .option('--url <url>', 'redis://, postgres:// or pglite:<folder>; default: TASK_QUEUE_URL, else pglite:.task-queue')
    .option('--prefix <prefix>', 'the option prefix of the application; default: TASK_QUEUE_PREFIX, else tasks')
    .addOption(
      new Option('--shard <name=url>', 'where a shard of the application is: media=redis://second; once for each')
        .argParser(collect)
        .default([], 'TASK_QUEUE_SHARDS'),
    )
    .option('--json', 'print JSON for programs')
    .option('--reveal', 'show values that are named like secrets (password, token, apiKey …)')
    .option('--by <name>', 'who acts, for those who watch; default: the user of this host')
    .version(packageVersion() ?? 'unknown')
    .addHelpText('after', EXIT_CODES)
    .showHelpAfterError('(nestjs-task-queue --help shows the commands)')
    .configureHelp({ showGlobalOptions: true, helpWidth: Math.min(terminal.width ?? 110, 110) })
    .configureOutput({
      writeOut: (text) => terminal.write(text),
      writeErr: (text) => terminal.writeError(text),
    })
    .exitOverride();
  for (const add of COMMANDS) add(program, context);
  return program;
}
