import { hostname, userInfo } from 'node:os';
import type { Command } from 'commander';
import type { Operator } from '../operator/operations.js';
import type { ActOptions } from '../admin/act-options.js';
import { EXIT, type ExitCode } from './exit-code.js';
import type { StoreFlags } from './open-store.js';
import { Output, type OutputOptions } from './output.js';
import type { Terminal } from './terminal.js';

/** The options that every command has. */
export type SharedFlags = StoreFlags & OutputOptions & { readonly by?: string; readonly yes?: boolean };

/** What a command works with. */
export interface CommandRun {
  readonly operator: Operator;
  /** Where the store is, without its password. */
  readonly place: string;
  readonly out: Output;
  readonly terminal: Terminal;
  readonly flags: SharedFlags;
  /** Who acts, and why. */
  readonly actor: (reason: string | undefined) => ActOptions;
}

/** Runs commands, and remembers how they ended. */
export class CommandContext {
  exitCode: ExitCode = EXIT.done;

  constructor(readonly terminal: Terminal) {}

  flagsOf(command: Command): SharedFlags {
    return command.optsWithGlobals<SharedFlags>();
  }

  outputOf(command: Command): Output {
    return new Output(this.terminal, this.flagsOf(command));
  }

  /** Opens the store, runs `body` and closes the store. What `body` returns is the exit code; nothing stands for 0. */
  async withStore(command: Command, body: (run: CommandRun) => Promise<ExitCode | void>): Promise<void> {
    const flags = this.flagsOf(command);
    // Loaded only here: Nest and this whole package take half a second, which the help and the command `worker` need not.
    const { openStore } = await import('./open-store.js');
    const store = await openStore(flags, this.terminal.env);
    try {
      const { operator, place } = store;
      const by = flags.by ?? userName();
      const actor = (reason: string | undefined) => ({ by, ...(reason !== undefined && { reason }) });
      const out = this.outputOf(command);
      if (store.note !== undefined) out.note(store.note);
      const run = { operator, place, out, terminal: this.terminal, flags, actor };
      this.exitCode = (await body(run)) ?? EXIT.done;
    } finally {
      await store.close();
    }
  }
}

/** The user of the host, who is named by what the command does: `ann@web-1`. */
function userName(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // A user without an entry in the system, as in some containers.
    return `command line@${hostname()}`;
  }
}
