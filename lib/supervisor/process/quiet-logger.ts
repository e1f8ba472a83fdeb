import type { ConsoleLogger, LoggerService } from '@nestjs/common';

/**
 * What Nest itself logs while an application boots: a dozen lines in each process, which the line of the supervisor sums up. An error
 * of the boot is reported once, by the supervisor.
 */
const NOISE = new Set(['InstanceLoader', 'NestFactory', 'ExceptionHandler']);

/** Nest's own logger without the lines of the boot. An application sets another one in `configureWorker()`. */
export function quietLogger(Logger: typeof ConsoleLogger): LoggerService {
  return new (class extends Logger {
    override log(message: unknown, ...rest: unknown[]): void {
      if (!isNoise(rest)) super.log(message, ...(rest as [string]));
    }
    override error(message: unknown, ...rest: unknown[]): void {
      if (!isNoise(rest)) super.error(message, ...(rest as [string]));
    }
  })();
}

function isNoise(rest: readonly unknown[]): boolean {
  return NOISE.has(String(rest.at(-1)));
}
