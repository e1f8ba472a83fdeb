import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, realpath, rm, symlink } from 'node:fs/promises';
import type { Server } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ConfigurationError } from '../../../../errors.js';
import { answerOn, askOn, type Holder } from './lock-socket.js';

/** A folder that belongs to one opener until `release`, or until the process ends. */
export interface FolderLock {
  /** Idempotent. */
  release(): Promise<void>;
}

/** Starters that meet all step back and try again. The waits are random, so that one of them soon gets through. */
const attempts = 20;
const longestWait = 100;

/** Bytes. The address of a socket holds 104 on macOS and 108 on Linux; the socket's name takes up to 30 of them. */
const longestFolder = 70;

/** Names the process, so that an error can too when the process is too busy to answer. */
const socketName = /^lock-(?<pid>\d+)-[0-9a-f]{16}$/;

/**
 * Sees to it that only one process, and in it only one database, uses a folder: PGlite does not, and two of them would
 * destroy it. After a crash, `kill -9` included, the folder is free at once.
 *
 * Each starter listens on a socket with a name of its own in the folder, and only then looks at the others'. Where
 * nobody listens, the socket is a left-over and is removed; where somebody does, the starter steps back. Of any two, the
 * one that listened later sees the other, so they cannot both go on; and since no name is used twice, removing a
 * left-over cannot hit a living starter's socket.
 *
 * The folder has to be on a local disk: a socket cannot be reached from another machine.
 *
 * @param folder exists
 * @throws ConfigurationError that names the folder, who has it, and the cure
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const path = await realpath(folder);
  if (process.platform === 'win32') return await lockPipe(folder, path);
  try {
    return await lockWithSockets(folder, path);
  } catch (error) {
    if (!hasNoSockets(error)) throw error;
    // Some mounts cannot hold sockets, those of Docker on a Mac for example. Every starter there ends up here.
    const elsewhere = join(tmpdir(), `nestjs-task-queue-${hash(path)}`);
    await mkdir(elsewhere, { recursive: true });
    return await lockWithSockets(folder, elsewhere);
  }
}

/** @param place the folder with the sockets */
async function lockWithSockets(folder: string, place: string): Promise<FolderLock> {
  return await withShortName(place, async (short) => {
    for (let attempt = 1; ; attempt++) {
      const own = `lock-${process.pid}-${randomBytes(8).toString('hex')}`;
      let holds = false;
      const server = await answerOn(join(short, own), () => holds);
      const lock = { release: () => closeSocket(server, join(place, own)) };
      try {
        const other = await findOther(short, own);
        if (!other) {
          holds = true;
          return lock;
        }
        if (other.holds || attempt === attempts) throw inUse(folder, other);
      } finally {
        if (!holds) await lock.release();
      }
      await delay(Math.random() * longestWait);
    }
  });
}

async function findOther(place: string, own: string): Promise<Holder | undefined> {
  for (const name of await readdir(place)) {
    const pid = socketName.exec(name)?.groups?.['pid'];
    if (name === own || pid === undefined) continue;
    const other = await askOn(join(place, name));
    if (other) return { pid: Number(pid), ...other };
    await rm(join(place, name), { force: true });
  }
  return undefined;
}

async function closeSocket(server: Server, path: string): Promise<void> {
  server.close();
  await rm(path, { force: true });
}

/** A socket's address is short, a folder's path need not be: then a link with a short name stands for it meanwhile. */
async function withShortName<T>(folder: string, use: (folder: string) => Promise<T>): Promise<T> {
  if (Buffer.byteLength(folder) <= longestFolder) return await use(folder);
  const temporary = await mkdtemp(join(tmpdir(), 'tq-'));
  try {
    const link = join(temporary, 'f');
    await symlink(folder, link);
    return await use(link);
  } finally {
    await rm(temporary, { recursive: true });
  }
}

/** A named pipe vanishes with its process and has one owner, so here to listen is to hold the lock. */
async function lockPipe(folder: string, path: string): Promise<FolderLock> {
  const pipe = `\\\\.\\pipe\\nestjs-task-queue-${hash(path.toLowerCase())}`;
  try {
    const server = await answerOn(pipe, () => true);
    return { release: () => Promise.resolve(void server.close()) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw inUse(folder, (await askOn(pipe)) ?? { holds: true });
  }
}

function hasNoSockets(error: unknown): boolean {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return syscall === 'listen' && ['ENOTSUP', 'EOPNOTSUPP', 'EPERM', 'EINVAL', 'ENOSYS'].includes(code ?? '');
}

function hash(path: string): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 32);
}

function inUse(folder: string, { pid, host }: Holder): ConfigurationError {
  const where = host === undefined || host === hostname() ? '' : ` on ${host}`;
  const who =
    pid === process.pid && !where ? 'another app in this process' : pid ? `process ${pid}${where}` : 'another process';
  return new ConfigurationError(
    `The folder ${folder} of the embedded engine is in use by ${who}. It serves one app in one process: stop the other, ` +
      'give this one another folder (connection: "pglite:<folder>"), or let several share Redis or PostgreSQL ' +
      '(connection or TASK_QUEUE_URL: redis://... or postgres://...).',
  );
}
