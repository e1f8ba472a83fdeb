import type { TaskState } from '../engine/task.js';
import type { Terminal } from './terminal.js';

/** The colours of the output. Each is a function, which returns the text as it is when there are no colours. */
export type Style = Readonly<Record<keyof typeof CODES, (text: string) => string>>;

const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

/** Colours on a terminal, unless `NO_COLOR` is set. `FORCE_COLOR` asks for them also where there is no terminal. */
export function styleFor({ env, width }: Pick<Terminal, 'env' | 'width'>): Style {
  const forced = Boolean(env['FORCE_COLOR']) && env['FORCE_COLOR'] !== '0';
  const hasColours = !env['NO_COLOR'] && (forced || (width !== undefined && env['TERM'] !== 'dumb'));
  return Object.fromEntries(
    Object.entries(CODES).map(([name, [on, off]]) => [
      name,
      (text: string) => (hasColours ? `\u001B[${on}m${text}\u001B[${off}m` : text),
    ]),
  ) as Style;
}

/** The number of columns that a text takes, colours left out. */
export function widthOf(text: string): number {
  return plain(text).length;
}

/**
 * A stored text without what a terminal would obey: a name or an error of a task may contain any character, also those that
 * move the cursor or change the clipboard.
 */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ');
}

function plain(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replaceAll(/\u001B\[\d+m/g, '');
}

/** A state in its colour. */
export function stateText(text: string, state: TaskState, style: Style): string {
  if (state === 'failed' || state === 'expired') return style.red(text);
  if (state === 'retrying' || state === 'cancelled') return style.yellow(text);
  if (state === 'succeeded') return style.green(text);
  return state === 'running' ? style.cyan(text) : text;
}
