import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Logger, type LoggerService } from '@nestjs/common';
import { oneLine, PackageLogger } from '../../lib/package-logger.js';

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
