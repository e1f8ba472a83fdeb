import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { askOwner, hasOwner } from '../../../lib/engine/bullmq/embedded/lock/ask-owner.js';
import { lockFolder, withOwnerOf } from '../../../lib/engine/bullmq/embedded/lock/folder-lock.js';
import type { AnswerRequest } from '../../../lib/engine/ports/request-port.js';

let folder: string;
const locks: { release(): Promise<void> }[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tq-requests-'));
});
afterEach(async () => {
  for (const lock of locks.splice(0)) await lock.release();
  await rm(folder, { recursive: true });
});

async function own(answer?: AnswerRequest): Promise<void> {
  locks.push(await lockFolder(folder, answer));
}

test('the process that has locked the folder answers, as often as it is asked', async () => {
  expect(await hasOwner(folder)).toBe(false);
  await own(async (request) => ({ got: request }));
  expect(await hasOwner(folder)).toBe(true);
  const answers = await Promise.all([1, 2, 3].map((number) => askOwner(folder, { number, text: 'ü\n' })));
  expect(answers).toEqual([1, 2, 3].map((number) => ({ got: { number, text: 'ü\n' } })));
});

test('an error keeps its name, message and code', async () => {
  await own(async () => {
    throw Object.assign(new RangeError('too much'), { code: 'TOO_MUCH' });
  });
  await expect(askOwner(folder, {})).rejects.toMatchObject({
    name: 'RangeError',
    message: 'too much',
    code: 'TOO_MUCH',
  });
});

test('only the user of the process can reach the socket', async () => {
  await mkdir(join(folder, 'requests'), { mode: 0o777 });
  await own(async () => null);
  const { mode } = await stat(join(folder, 'requests'));
  expect((mode & 0o777).toString(8)).toBe('700');
});

test('a folder with a long path answers too', async () => {
  const long = join(folder, 'x'.repeat(120));
  await mkdir(long);
  locks.push(await lockFolder(long, async (request) => request));
  expect(await askOwner(long, 7)).toBe(7);
});

test('a process of an earlier version, which answers nothing, is named', async () => {
  await own();
  await expect(askOwner(folder, {})).rejects.toThrow(
    `Process ${process.pid} has opened the folder ${folder} and answers no commands`,
  );
});

test('the application runs without the socket where it cannot be made', async () => {
  await writeFile(join(folder, 'requests'), 'no folder');
  await own(async () => null);
  expect(await withOwnerOf(folder, async ({ requests }) => requests)).toBeUndefined();
});

test('after the release nothing answers, and nothing is left behind', async () => {
  await own(async () => null);
  await locks.pop()?.release();
  await expect(askOwner(folder, {})).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
});

test('a request that is no request of this package is answered with an error, and a huge one is cut off', async () => {
  await own(async () => null);
  await withOwnerOf(folder, async ({ requests = '' }) => {
    expect(await send(requests, '{"v":99}\n')).toContain('runs another version of this package');
    expect(await send(requests, 'hello\n')).toContain('"error"');
    expect(await send(requests, 'x'.repeat(9 * 1024 * 1024))).toBe('');
  });
});

function send(path: string, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    connect({ path })
      .setEncoding('utf8')
      .on('data', (data: string) => (answer += data))
      .on('error', () => undefined)
      .on('close', () => resolve(answer))
      .write(text);
  });
}
