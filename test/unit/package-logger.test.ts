import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Logger, type LoggerService } from '@nestjs/common';
import { oneLine, PackageLogger } from '../../lib/package-logger.js';
import { unreadableThen } from '../support/hostile-values.js';

const written: unknown[][] = [];
const write = (...line: unknown[]) => void written.push(line);

beforeEach(() => {
  written.length = 0;
  Logger.overrideLogger({ log: write, warn: write, error: write, debug: write });
});
afterEach(() => {
  jest.restoreAllMocks();
  Logger.overrideLogger(false);
});

it.each([
  ['plain text, ä 👍', 'plain text, ä 👍'],
  ['a\nb\r\nc\td', String.raw`a\nb\r\nc\td`],
  ['\u001b[2J\u0007\u0000\u007f\u009b', String.raw`\x1b[2J\x07\x00\x7f\x9b`],
  ['a\u2028b\u2029', String.raw`a\u2028b\u2029`],
])('%j is written as %j', (text, line) => {
  expect(oneLine(text)).toBe(line);
  new PackageLogger().warn(text);
  expect(written).toEqual([[line, 'TaskQueue']]);
});

it('a stack keeps its lines, and only the first of them begins at the margin', () => {
  new PackageLogger().error('failed', 'Error: a\nERROR b\u001b[1m\n    at place (file:1:2)');
  expect(written).toEqual([['failed', 'Error: a\n    ERROR b\\x1b[1m\n    at place (file:1:2)', 'TaskQueue']]);
});

it('an error of the logger of the application stays here', () => {
  const refuse = () => {
    throw new Error('the disk is full');
  };
  const broken: LoggerService = { log: refuse, warn: refuse, error: refuse, debug: refuse };
  Logger.overrideLogger(broken);
  const logger = new PackageLogger();
  for (const level of ['log', 'warn', 'error', 'debug'] as const) expect(() => logger[level]('line')).not.toThrow();
});

it.each<[what: string, answer: () => unknown]>([
  ['is rejected', () => Promise.reject(new Error('the disk is full'))],
  ['is rejected with nothing', () => Promise.reject(undefined)],
  ['has a then that throws', () => unreadableThen('no then')],
])('a promise of the logger of the application that %s ends no process', async (_, answer) => {
  const unhandled = jest.fn();
  process.on('unhandledRejection', unhandled);
  Logger.overrideLogger({ log: answer, warn: answer, error: answer, debug: answer });
  const logger = new PackageLogger();
  for (const level of ['log', 'warn', 'error', 'debug'] as const) logger[level]('line');
  await new Promise(setImmediate);
  process.off('unhandledRejection', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

it('a logger of the application keeps its own state', () => {
  class Counting implements LoggerService {
    #lines = 0;
    log(): void {
      this.#lines++;
    }
    warn(): void {
      this.#lines++;
    }
    error(): void {
      this.#lines++;
    }
    get lines(): number {
      return this.#lines;
    }
  }
  const counting = new Counting();
  Logger.overrideLogger(counting);
  const logger = new PackageLogger();
  for (const level of ['log', 'warn', 'error', 'debug'] as const) logger[level]('line');
  expect(counting.lines).toBe(3);
});

it('a logger that cannot be changed gets each line', () => {
  Logger.overrideLogger(Object.freeze({ log: write, warn: write, error: write, debug: write }));
  const logger = new PackageLogger();
  for (const level of ['log', 'warn', 'error', 'debug'] as const) logger[level](level);
  expect(written.map(([line]) => line)).toEqual(['log', 'warn', 'error', 'debug']);
});
