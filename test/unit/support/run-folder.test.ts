import { expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { until } from '../../support/until.js';

const PROGRAM = `
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { useRunFolder } from '${new URL('../../support/run-folder.js', import.meta.url).href}';
await useRunFolder();
const folder = tmpdir();
await useRunFolder();
mkdtempSync(folder + '/left-over-');
console.log(folder === tmpdir() ? folder : 'another folder');
setInterval(() => {}, 1000);
`;

it.each(['SIGKILL', 'SIGTERM'] as const)('the temporary folder of a run is gone after %s', async (signal) => {
  const { TASK_QUEUE_RUN_FOLDER: _, ...env } = process.env;
  const run = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM], { env });
  const [line] = (await once(run.stdout, 'data')) as [Buffer];
  const folder = line.toString().trim();
  expect(folder.startsWith(`${tmpdir()}/tq-`)).toBe(true);
  expect(existsSync(folder)).toBe(true);
  run.kill(signal);
  await until(() => !existsSync(folder));
});
