import { describe, expect, it } from '@jest/globals';
import { styleFor } from '../../../lib/cli/style.js';
import { toTable, type Column } from '../../../lib/cli/table.js';

const noStyle = styleFor({ env: {}, width: undefined });
interface Row {
  name: string;
  count: number | null;
}
const columns: Column<Row>[] = [
  { title: 'NAME', value: ({ name }) => name, shrinks: true },
  { title: 'COUNT', value: ({ count }) => count, align: 'right' },
];

describe('toTable', () => {
  it('columns are as wide as their widest cell, numbers are on the right', () => {
    const rows = [
      { name: 'default', count: 12_345 },
      { name: 'mail', count: null },
    ];
    expect(toTable(rows, columns, noStyle, undefined)).toBe('NAME      COUNT\ndefault  12,345\nmail          –\n');
  });

  it('a column shrinks until the table fits the terminal', () => {
    const text = toTable([{ name: 'x'.repeat(60), count: 1 }], columns, noStyle, 30);
    expect(text.split('\n').map(({ length }) => length)).toEqual([30, 30, 0]);
    expect(text).toContain('x…');
  });

  it('without a terminal nothing is cut', () => {
    expect(toTable([{ name: 'x'.repeat(300), count: 1 }], columns, noStyle, undefined)).toContain('x'.repeat(300));
  });

  it('a stored text cannot control the terminal', () => {
    const text = toTable([{ name: 'a\u001B]52;c;aGk=\u0007b\nc\u009B2J', count: 1 }], columns, noStyle, undefined);
    // eslint-disable-next-line no-control-regex
    expect(text.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001F\u007F-\u009F]/);
  });

  it('colours count as nothing', () => {
    const style = styleFor({ env: {}, width: 80 });
    const painted: Column<Row>[] = [
      { ...(columns[0] as Column<Row>), paint: (text) => style.red(text) },
      columns[1] as Column<Row>,
    ];
    const text = toTable([{ name: 'mail', count: 1 }], painted, style, 80);
    expect(text).toContain('\u001B[31mmail\u001B[39m      1\n');
  });
});

describe('styleFor', () => {
  it.each([
    ['a terminal', {}, 80, true],
    ['no terminal', {}, undefined, false],
    ['NO_COLOR', { NO_COLOR: '1' }, 80, false],
    ['a dumb terminal', { TERM: 'dumb' }, 80, false],
    ['FORCE_COLOR without a terminal', { FORCE_COLOR: '1' }, undefined, true],
  ])('%s', (_, env, width, hasColours) => {
    expect(styleFor({ env, width }).red('x') !== 'x').toBe(hasColours);
  });
});
