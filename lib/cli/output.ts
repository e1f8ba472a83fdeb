import { maskSecrets } from '../admin/mask-secrets.js';
import { styleFor, type Style } from './style.js';
import { toTable, type Column } from './table.js';
import type { Terminal } from './terminal.js';

export interface OutputOptions {
  /** JSON for programs instead of text for people. */
  readonly json?: boolean;
  /** Whether values that are named like secrets are shown. */
  readonly reveal?: boolean;
}

/** Prints what a command found: text for people, or with `--json` one JSON value for programs. Secrets are masked in both. */
export class Output {
  readonly style: Style;

  constructor(
    private readonly terminal: Terminal,
    private readonly options: OutputOptions,
  ) {
    this.style = styleFor(terminal);
  }

  get isJson(): boolean {
    return this.options.json ?? false;
  }

  /** Columns; `undefined` when the output does not go to a terminal. */
  get width(): number | undefined {
    return this.terminal.width;
  }

  /** Prints a value as JSON, or as the text that `toText` makes of it. */
  print<T>(value: T, toText: (value: T) => string): void {
    const shown = this.masked(value);
    this.write(this.isJson ? `${JSON.stringify(shown, null, 2)}\n` : toText(shown));
  }

  /** Prints a line for people; with `--json` nothing. */
  say(text: string): void {
    if (!this.isJson) this.write(`${text}\n`);
  }

  /** A note that is no result, so it goes to the error output. */
  note(text: string): void {
    this.terminal.writeError(`${text}\n`);
  }

  write(text: string): void {
    this.terminal.write(text);
  }

  table<T>(rows: readonly T[], columns: readonly Column<T>[]): string {
    return toTable(rows, columns, this.style, this.width);
  }

  masked<T>(value: T): T {
    return this.options.reveal ? value : maskSecrets(value);
  }
}
