import { beforeEach, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { withLateOptimization } from '../../../../../lib/engine/bullmq/embedded/patched-wasm-tiering.js';
import { Gate } from '../../../../support/gate.js';

const flags: string[] = [];
const setFlags = (flag: string) => void flags.push(flag);
const LATE = '--wasm-tiering-budget=1800000000';
/** As V8 tells it. */
const [OWN = ''] =
  /--wasm-tiering-budget=\d+/.exec(execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' })) ?? [];

beforeEach(() => {
  flags.length = 0;
});

it('sets the flag while a database starts, and sets it back', async () => {
  const seen = await withLateOptimization(async () => [...flags], '', setFlags);
  expect(seen).toEqual([LATE]);
  expect(flags).toEqual([LATE, OWN]);
});

it('sets the flag back when a start fails', async () => {
  const start = withLateOptimization(() => Promise.reject(new Error('no space left')), '', setFlags);
  await expect(start).rejects.toThrow('no space left');
  expect(flags).toEqual([LATE, OWN]);
});

it('sets the flag back after the last of several starts', async () => {
  const gate = new Gate();
  const slow = withLateOptimization(() => gate.opened, '', setFlags);
  await withLateOptimization(async () => undefined, '', setFlags);
  expect(flags).toEqual([LATE]);
  gate.open();
  await slow;
  expect(flags).toEqual([LATE, OWN]);
});

it.each(['--wasm-tiering-budget=5', '--no-wasm-dynamic-tiering', '--inspect --liftoff-only'])(
  'leaves the process alone that was started with %s',
  async (given) => {
    await withLateOptimization(async () => undefined, given, setFlags);
    expect(flags).toEqual([]);
  },
);
