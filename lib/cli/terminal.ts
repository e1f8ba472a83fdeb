import { createInterface } from 'node:readline/promises';

/** The surroundings of the command, so that tests can replace them. */
export interface Terminal {
  readonly env: NodeJS.ProcessEnv;
  /** The working directory. */
  readonly folder: string;
  /** Columns; `undefined` when the output does not go to a terminal. */
  readonly width: number | undefined;
  /** Whether a person can answer questions. */
  readonly isInteractive: boolean;
  write(text: string): void;
  writeError(text: string): void;
  /** Asks on the error output, because the output may go to a file. */
  ask(question: string): Promise<string>;
  /** Runs what goes on until Ctrl-C, which aborts the signal. Elsewhere Ctrl-C ends the command. */
  untilInterrupted(run: (signal: AbortSignal) => Promise<void>): Promise<void>;
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdin, stdout, stderr, env } = process;
  // The reader of a pipe may end first, as `head` does.
  stdout.on('error', ({ code }: NodeJS.ErrnoException) => process.exit(code === 'EPIPE' ? 0 : 1));
  return {
    env,
    folder: process.cwd(),
    width: stdout.isTTY ? stdout.columns : undefined,
    isInteractive: stdin.isTTY && stderr.isTTY,
    write: (text) => void stdout.write(text),
    writeError: (text) => void stderr.write(text),
    async ask(question) {
      const lines = createInterface({ input: stdin, output: stderr });
      try {
        return await lines.question(question);
      } finally {
        lines.close();
      }
    },
    async untilInterrupted(run) {
      const controller = new AbortController();
      const interrupt = () => controller.abort();
      process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
      try {
        await run(controller.signal);
      } finally {
        process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
      }
    },
  };
}
