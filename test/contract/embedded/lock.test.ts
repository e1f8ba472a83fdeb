import { mkdirSync, readdirSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { lockFolder } from '../../../lib/engine/bullmq/embedded/lock/folder-lock.js';
import { embeddedFixture, withPreparedDatabase } from '../../support/embedded.js';

withPreparedDatabase();
const { newFolder, open, openElsewhere } = embeddedFixture();

function makeFolder(...names: string[]): string {
  const folder = join(newFolder(), ...names);
  mkdirSync(folder, { recursive: true });
  return folder;
}

const sockets = (folder: string) => readdirSync(folder).filter((name) => name.startsWith('lock-'));

afterEach(() => {
  jest.restoreAllMocks();
});

describe('the lock of an embedded folder', () => {
  it('the lock refuses a second process, names the process that has it, and keeps the data unharmed', async () => {
    const folder = newFolder();
    const holder = await openElsewhere(folder, 'enqueue');
    expect(holder.message).toBe('open');

    const refused = open({ folder });
    await expect(refused).rejects.toMatchObject({ name: 'ConfigurationError', code: 'CONFIGURATION' });
    await expect(refused).rejects.toThrow(
      `The folder ${folder} of the embedded engine is in use by process ${holder.pid}.`,
    );
    await expect(refused).rejects.toThrow('Redis or PostgreSQL');

    await holder.kill();
    const { pool } = await open({ folder });
    const { rows } = await pool.query('SELECT count(*) FROM job');
    expect(rows).toEqual([{ count: '20' }]);
  });

  it('the lock is free at once after kill -9, and another process can take it', async () => {
    const folder = newFolder();
    await (await openElsewhere(folder)).kill();
    expect(sockets(folder)).toHaveLength(1);

    const second = await openElsewhere(folder);
    expect(second.message).toBe('open');
    expect(sockets(folder)).toHaveLength(1);
  });

  it('the lock refuses a second application of this process until the first is closed', async () => {
    const folder = newFolder();
    const first = await open({ folder });
    await expect(open({ folder })).rejects.toThrow(
      `${folder} of the embedded engine is in use by another app in this process.`,
    );
    await first.close();
    await open({ folder });
  });

  it('a frozen process keeps the lock', async () => {
    const folder = newFolder();
    const holder = await openElsewhere(folder);
    holder.freeze();
    await expect(open({ folder })).rejects.toThrow(`in use by process ${holder.pid}.`);
  });

  it('exactly one of ten callers gets the lock when all start at once', async () => {
    const folder = makeFolder();
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => lockFolder(folder)));
    const locks = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(locks).toHaveLength(1);
    expect(sockets(folder)).toHaveLength(1);
    await locks[0]!.release();
    await locks[0]!.release();
    expect(sockets(folder)).toHaveLength(0);
  });

  it.each(['not json', 'null', '[]', '{"pid":1', '{"pid":"x","holds":"y"}', 'x'.repeat(100_000)])(
    'a process that answers %.20s keeps the lock, and the caller gets an error',
    async (answer) => {
      const folder = makeFolder();
      const other = createServer((socket) => socket.on('error', () => undefined).end(answer));
      await once(other.listen(join(folder, 'lock-4711-0123456789abcdef')), 'listening');
      await expect(lockFolder(folder)).rejects.toThrow('in use by process 4711.');
      await new Promise((resolve) => other.close(resolve));
      await (await lockFolder(folder)).release();
    },
  );

  it('the lock works in a folder whose path is longer than the address of a socket may be', async () => {
    const folder = makeFolder('a-long-name-'.repeat(8), 'another-long-name-'.repeat(8));
    const lock = await lockFolder(folder);
    expect(sockets(folder)).toHaveLength(1);
    await expect(lockFolder(folder)).rejects.toThrow('another app in this process');
    await lock.release();
    expect(sockets(folder)).toHaveLength(0);
    await (await lockFolder(folder)).release();
  });

  it("the lock moves to the system's temporary folder when the folder's file system has no sockets", async () => {
    const folder = makeFolder();
    const { listen } = Server.prototype;
    const refused = jest.fn();
    jest.spyOn(Server.prototype, 'listen').mockImplementation(function (this: Server, ...args: unknown[]) {
      if (!(args[0] as { path: string }).path.startsWith(folder)) return Reflect.apply(listen, this, args) as Server;
      refused();
      const error = Object.assign(new Error('listen ENOTSUP'), { code: 'ENOTSUP', syscall: 'listen' });
      process.nextTick(() => this.emit('error', error));
      return this;
    });

    const lock = await lockFolder(folder);
    expect(refused).toHaveBeenCalledTimes(1);
    expect(sockets(folder)).toHaveLength(0);
    await expect(lockFolder(folder)).rejects.toThrow('another app in this process');
    await lock.release();
    await (await lockFolder(folder)).release();
  });
});
