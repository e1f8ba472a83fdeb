import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Milliseconds that one command may take: npm, a compiler, the tests of an application. */
const COMMAND_LIMIT = 300_000;

export interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command to its end, in an environment like that of a user's shell.
 *
 * @throws Error with all that the command printed when it fails or does not end in time
 */
export async function run(
  folder: string,
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Output> {
  try {
    return await execute(command, args, {
      cwd: folder,
      env: { ...userEnvironment(), ...environment },
      timeout: COMMAND_LIMIT,
      maxBuffer: 64 * 1024 * 1024,
    });
  } catch (error) {
    const { message, stdout = '', stderr = '' } = error as Error & Partial<Output>;
    throw new Error(`${message}\n${stdout}\n${stderr}`, { cause: error });
  }
}

/** A command that goes on until it is stopped. */
export interface RunningCommand {
  /** Stops it by SIGTERM. @returns its exit code and all that it has printed */
  stop(): Promise<{ readonly code: number | null; readonly output: string }>;
}

/**
 * Starts a command in an environment like that of a user's shell. Resolves once it has printed the text.
 *
 * @throws Error with all that the command printed when it ends before
 */
export async function start(
  folder: string,
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  readyText: string,
): Promise<RunningCommand> {
  const child = spawn(command, args, { cwd: folder, env: { ...userEnvironment(), ...environment } });
  const killIt = () => child.kill('SIGKILL');
  process.once('exit', killIt);
  const ended = once(child, 'close') as Promise<[number | null]>;
  let output = '';
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (output.includes(readyText)) resolve();
      });
    }
    child.on('close', (code) => reject(new Error(`${command} ended with ${code}:\n${output}`)));
  });
  return {
    async stop() {
      child.kill('SIGTERM');
      const [code] = await ended;
      process.off('exit', killIt);
      return { code, output };
    },
  };
}

/** The environment without what Jest, npm and this test run set. */
function userEnvironment(): NodeJS.ProcessEnv {
  const ours = /^(NODE_ENV|NODE_OPTIONS|JEST_|npm_|TASK_QUEUE_|INIT_CWD)/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
}
