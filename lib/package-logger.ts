import { Logger, type LoggerService } from '@nestjs/common';
import { isThenable } from './not-a-promise.js';

type Level = 'log' | 'warn' | 'error' | 'debug';

/**
 * The logger of this package. It differs from Nest's logger in two points:
 *
 * - An error of the application's logger stays here, also one with which a promise is rejected that its method returns. A log line must
 *   change neither the outcome of a task nor the answer to a request, and must not end the process.
 * - A line stays one line. Names, messages of errors and reasons come from stored tasks, which any client of the store may have written,
 *   so control characters are escaped: they could forge further lines, or change what a terminal shows.
 */
export class PackageLogger extends Logger {
  constructor(context = 'TaskQueue') {
    super(context);
  }

  /** The logger to which Nest's logger hands each line, whose answer Nest drops. */
  override get localInstance(): LoggerService {
    const logger = super.localInstance as LoggerService | undefined;
    // An application may have no logger. Of any other, Nest reads one method, for one line.
    if (!logger) return logger as never;
    // A proxy of the logger itself could not replace a method of a logger that is frozen.
    return new Proxy({} as LoggerService, {
      get: (_, name) => {
        const method: unknown = Reflect.get(logger, name);
        if (typeof method !== 'function') return method;
        return (...line: unknown[]) => handleRejection(Reflect.apply(method, logger, line));
      },
    });
  }

  override log(message: unknown): void {
    this.write('log', message, []);
  }

  override warn(message: unknown): void {
    this.write('warn', message, []);
  }

  override debug(message: unknown): void {
    this.write('debug', message, []);
  }

  override error(message: unknown, stack?: unknown): void {
    this.write('error', message, stack === undefined ? [] : [stack]);
  }

  private write(level: Level, message: unknown, [stack]: readonly unknown[]): void {
    const line = typeof message === 'string' ? oneLine(message) : message;
    try {
      if (stack === undefined) super[level](line);
      else super[level](line, typeof stack === 'string' ? indented(stack) : stack);
    } catch {
      // There is no other place to report it to.
    }
  }
}

/** A rejection that no code handles ends the process. */
function handleRejection(answer: unknown): void {
  if (isThenable(answer)) Promise.resolve(answer).catch(() => undefined);
}

/** A text without control characters: `\n`, `\x1b`. */
export function oneLine(text: string): string {
  return text.replace(CONTROL, escaped);
}

/** A stack whose message has several lines. Only its first line begins at the margin, where a logger begins its own lines. */
function indented(stack: string): string {
  return stack.replace(CONTROL_IN_LINE, escaped).replace(/\n(?=[^\s])/g, '\n    ');
}

/** Control characters, and the two other characters that end a line. */
const CONTROL = /[\p{Cc}\u2028\u2029]/gu;
/** The same, without the tab and the end of a line. */
const CONTROL_IN_LINE = /(?![\t\n])[\p{Cc}\u2028\u2029]/gu;

const SHORT: Readonly<Partial<Record<string, string>>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escaped(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16);
  return SHORT[character] ?? (code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, '0')}`);
}
