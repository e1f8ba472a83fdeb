import { expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describeEachEngine } from '../support/engines.js';

const loader = pathToFileURL(join(import.meta.dirname, '../support/typescript-loader.js')).href;
const program = join(import.meta.dirname, 'signal-listeners.program.ts');

interface Report {
  readonly ends: readonly string[];
  readonly sum: number;
  readonly lines: readonly string[];
}

describeEachEngine('listeners of signals that come from that of a task', (engine) => {
  it('are logged with the task when they throw, and end no process', async () => {
    const { connection, prefix } = await engine.place();
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', '--import', loader, program, connection, prefix],
      { env: { ...process.env, NODE_OPTIONS: '' }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const [out, errors, exit] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
    expect([errors, exit]).toEqual(['', [0, null]]);
    const { ends, sum, lines } = JSON.parse(out) as Report;
    expect([ends, sum]).toEqual([['cancelled', 'cancelled', 'cancelled', 'failed'], 3]);
    for (const [name, message] of [
      ['any', 'from any'],
      ['controller', 'from controller'],
      ['tick', 'from tick'],
      ['late', 'from late'],
    ] as const) {
      const of = lines.filter((line) => line.includes(`A listener on the signal of Task Work.${name} (`));
      expect([name, of]).toEqual([name, [expect.stringContaining(` threw: ${message}`)]]);
    }
  }, 90_000);
});
