import { describe, expect, it } from '@jest/globals';
import { LONGEST_LINE, readLogLine, writeLogLine } from '../../../lib/engine/log-line.js';

const AT = Date.UTC(2026, 10, 27, 8, 30);

describe('a line of a log', () => {
  it('is stored as readable text, and read back', () => {
    const stored = writeLogLine(AT, 'warn', 'one\ntwo');
    expect(stored).toBe('2026-11-27T08:30:00.000Z WARN one\ntwo');
    expect(readLogLine(stored, 7)).toEqual({ index: 7, at: AT, level: 'warn', text: 'one\ntwo' });
    expect(readLogLine(writeLogLine(AT, 'log', ''), 1)).toEqual({ index: 1, at: AT, level: 'log', text: '' });
  });

  it.each([
    'a plain line',
    '',
    '2026-11-27T08:30:00.000Z',
    '2026-11-27T08:30:00.000Z SHOUT x',
    '2026-99-99T99:99:99.999Z LOG x',
  ])('of another program is a line without a time: %j', (stored) => {
    expect(readLogLine(stored, 1)).toEqual({ index: 1, at: null, level: 'log', text: stored });
  });

  it('is cut between two characters, and only once', () => {
    const stored = writeLogLine(AT, 'log', `${'x'.repeat(LONGEST_LINE - 1)}😀 and more`);
    const { text } = readLogLine(stored, 1);
    expect(text).toBe(`${'x'.repeat(LONGEST_LINE - 1)}… (cut: ${LONGEST_LINE + 10} characters)`);
    const foreign = readLogLine('y'.repeat(LONGEST_LINE * 2), 1);
    expect(foreign.text).toHaveLength(LONGEST_LINE + '… (cut: 20000 characters)'.length);
  });

  it('has only characters that every engine stores', () => {
    expect(readLogLine(writeLogLine(AT, 'log', 'a\u0000b\uD800c'), 1).text).toBe('ab\uFFFDc');
  });
});
