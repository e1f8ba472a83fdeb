import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { ConfigurationError, Task } from 'nestjs-task-queue';
import { asFolderError, checkFolder } from '../../../lib/engine/bullmq/embedded/usable-folder.js';
import { boot, type Booted } from '../../support/boot.js';
import { embeddedFixture, withPreparedDatabase } from '../../support/embedded.js';
import { until } from '../../support/until.js';

withPreparedDatabase();
const { newFolder } = embeddedFixture();

@Injectable()
class Work {
  @Task()
  async echo(text: string): Promise<string> {
    return text;
  }
}

let booted: Booted | undefined;
afterEach(async () => {
  await booted?.app.close();
  booted = undefined;
});

describe('a folder that cannot be used', () => {
  /** A folder with a file, and the paths that lead to the file. */
  function fileIn(): string {
    const folder = newFolder();
    mkdirSync(folder, { recursive: true });
    const file = join(folder, 'file');
    writeFileSync(file, 'not a folder');
    return file;
  }

  it.each<[what: string, path: () => string]>([
    ['is a file', fileIn],
    ['is inside a file', () => join(fileIn(), 'inside')],
    ['has a NUL in its name', () => `${newFolder()}\0`],
    ['has too long a name', () => join(newFolder(), 'x'.repeat(300))],
    // Nobody can create a file there, not even root.
    ['takes no files', () => (process.platform === 'linux' ? '/proc/self' : '/dev')],
    ['cannot be created', () => (process.platform === 'linux' ? '/proc/tasks' : '/dev/tasks')],
  ])('is an error at boot when it %s', async (_, path) => {
    const folder = path();
    const error: unknown = await boot({ connection: `pglite:${folder}` }, [Work]).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConfigurationError);
    const { message } = error as Error;
    expect(message).toContain(`The folder ${folder} of the embedded engine cannot be used: `);
    expect(message).toContain('choose another folder');
  });

  it.each([
    Object.assign(new Error('EROFS: read-only file system, open'), { code: 'EROFS' }),
    Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }),
    new Error('could not create lock file "postmaster.pid": Permission denied'),
    new Error('could not write to file "pg_wal/xlogtemp.42": No space left on device'),
  ])('is named when an error says %s', (error) => {
    expect(asFolderError(error, '/tasks')).toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringContaining('The folder /tasks of the embedded engine cannot be used: ') as unknown,
    });
  });

  it('is not named when an error has another reason', () => {
    expect(asFolderError(new Error('database files are incompatible with server'), '/tasks')).toBeUndefined();
  });
});

describe('a folder that disappears while the application runs', () => {
  it('is an outage that says what to do, and is over once the folder is there again', async () => {
    const folder = newFolder();
    booted = await boot({ connection: `pglite:${folder}`, enqueueTimeout: '300ms' }, [Work]);
    const { echo } = booted.queue.of(Work);
    await expect((await echo.enqueue('before')).result({ timeout: '20s' })).resolves.toBe('before');
    renameSync(folder, `${folder}.away`);
    await expect(echo.enqueue('meanwhile')).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringMatching(/no such file .*Make the folder writable again/) as unknown,
    });
    renameSync(`${folder}.away`, folder);
    const accepted = () => echo.enqueue('after').catch(() => undefined);
    await until(async () => (await (await accepted())?.result({ timeout: '20s' })) === 'after', 'tasks run again');
  });
});

it('a folder on a file system with enough space is usable', () => {
  const folder = newFolder();
  mkdirSync(folder, { recursive: true });
  expect(() => checkFolder(folder)).not.toThrow();
});
