import type { FromChild, ToChild } from './messages.js';

/** The connection of a child process to its parent, as the program of the child gives it to the application. */
export interface ParentLink {
  /** Milliseconds by which the clock of the store is ahead of that of this computer. */
  readonly clockOffset: number;
  send(message: FromChild): void;
  /** Calls `listener` with each message but the first, those that came before included. */
  onMessage(listener: (message: ToChild) => void): void;
}

/**
 * The token that injects the {@link ParentLink} in a child process; absent anywhere else. A symbol of the whole process, because the
 * program of the child uses another build of this package than an application that is CommonJS.
 */
export const PARENT_LINK = Symbol.for('nestjs-task-queue: parent link');

/** The token of the provider that runs what the parent sends. The program of the child asks for it, so that it exists. */
export const ISOLATED_WORKER = Symbol.for('nestjs-task-queue: isolated worker');

/** The environment variable that is set in child processes. */
export const ISOLATED_VARIABLE = 'TASK_QUEUE_ISOLATED';
