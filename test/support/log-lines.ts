import type { LoggerService } from '@nestjs/common';

/** A logger that collects the lines of the library as `LEVEL message`, without the lines of Nest itself. */
export class LogLines implements LoggerService {
  readonly lines: string[] = [];

  log(message: unknown, ...rest: unknown[]): void {
    this.add('LOG', message, rest);
  }
  debug(message: unknown, ...rest: unknown[]): void {
    this.add('DEBUG', message, rest);
  }
  warn(message: unknown, ...rest: unknown[]): void {
    this.add('WARN', message, rest);
  }
  error(message: unknown, ...rest: unknown[]): void {
    this.add('ERROR', message, rest);
  }

  private add(level: string, message: unknown, rest: unknown[]): void {
    if (rest.at(-1) === 'TaskQueue') this.lines.push(`${level} ${String(message)}`);
  }
}
