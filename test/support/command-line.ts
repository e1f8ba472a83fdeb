import { run } from '../../lib/cli/program.js';
import type { Terminal } from '../../lib/cli/terminal.js';
import type { Place } from './engines.js';

/** What the command line printed, and its exit code. */
export interface CommandResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface CommandOptions {
  /** What a person answers to each question; without answers there is no person. */
  readonly answers?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly folder?: string;
  readonly width?: number;
  /** Interrupts the command when it follows or watches something. */
  readonly interrupt?: AbortSignal;
  /** Called with each text that the command prints. */
  readonly onOutput?: (text: string) => void;
}

/** Runs the command line in this process, as the program does. */
export async function commandLine(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const { answers, env = {}, folder = process.cwd(), width, interrupt, onOutput } = options;
  const left = [...(answers ?? [])];
  let out = '';
  let err = '';
  const terminal: Terminal = {
    env,
    folder,
    width,
    isInteractive: answers !== undefined,
    write(text) {
      out += text;
      onOutput?.(text);
    },
    writeError: (text) => void (err += text),
    async ask(question) {
      err += question;
      return left.shift() ?? '';
    },
    untilInterrupted: (follow) => follow(interrupt ?? new AbortController().signal),
  };
  const code = await run(args, terminal);
  return { code, out, err };
}

/** The command line on a store. */
export function commandsOn(place: Place): (args: string, options?: CommandOptions) => Promise<CommandResult> {
  const env = { TASK_QUEUE_URL: place.connection, TASK_QUEUE_PREFIX: place.prefix };
  return (args, options = {}) => commandLine(wordsOf(args), { ...options, env: { ...env, ...options.env } });
}

/** The text without what differs from run to run: ids, times and ages. */
export function stable(text: string): string {
  return text
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '<uuid>')
    .replaceAll(/\b([\w-]+)\.[A-Za-z0-9_-]{22}(?![\w-])/g, '$1.<id>')
    .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+Z)?/g, '<time>')
    .replaceAll(/\b\d+(ms|[smhd])( \d+[smh])?\b/g, '<age>');
}

/** Words separated by spaces; quotes keep a word together. */
function wordsOf(args: string): string[] {
  return Array.from(args.matchAll(/'([^']*)'|(\S+)/g), ([, quoted, word]) => quoted ?? word ?? '');
}
