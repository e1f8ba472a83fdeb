import { TaskQueueError } from '../errors.js';

/** The exit codes of the command. docs/operating.md has the same table. */
export const EXIT = {
  /** The command did what it was asked for. */
  done: 0,
  /** The command failed, the task failed, something was refused or not found, or a check of `doctor` failed. */
  failed: 1,
  /** Wrong usage: nothing was done. */
  usage: 2,
  /** The engine cannot be reached, or cannot be used as it is. */
  unreachable: 3,
  /** Interrupted by Ctrl-C. */
  interrupted: 130,
  /** Ended at once by a second SIGTERM. */
  terminated: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An end of the command that is not a success, with one line for the person who called it. */
export class CommandError extends Error {
  constructor(
    message: string,
    readonly exitCode: ExitCode = EXIT.failed,
  ) {
    super(message);
  }
}

/** @returns an error for a wrong argument or option; nothing was done */
export function wrongUsage(message: string): CommandError {
  return new CommandError(message, EXIT.usage);
}

/** The exit code for an error of a command whose store is open. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommandError) return error.exitCode;
  if (!(error instanceof TaskQueueError)) return EXIT.failed;
  return CODES.get(error.code) ?? EXIT.failed;
}

const CODES: ReadonlyMap<string, ExitCode> = new Map([
  ['ENGINE_UNAVAILABLE', EXIT.unreachable],
  ['CONFIGURATION', EXIT.usage],
  ['INVALID_ARGUMENTS', EXIT.usage],
  ['NOT_SERIALIZABLE', EXIT.usage],
  ['PAYLOAD_TOO_LARGE', EXIT.usage],
]);
