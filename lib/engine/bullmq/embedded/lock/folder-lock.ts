import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, realpath, rm, symlink } from 'node:fs/promises';
import type { Server } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ConfigurationError } from '../../../../errors.js';
import type { AnswerRequest } from '../../../ports/request-port.js';
import { answerOn, findListener, type LockProcess, type LockState } from './lock-socket.js';
import { answerOnPipe, answerRequests, type RequestSocket } from './request-socket.js';

/** A lock on a folder, until `release` is called or the process ends. */
export interface FolderLock {
  /** Frees the folder. Safe to call twice. */
  release(): Promise<void>;
}

/**
 * Processes that start together all give way and try again. The waits are random, so that one of them soon succeeds.
 */
const ATTEMPTS = 20;
/** Milliseconds. */
const LONGEST_WAIT = 100;

/** Bytes. The address of a socket takes 104 on macOS and 108 on Linux, of which the socket's name takes up to 30. */
const LONGEST_FOLDER = 70;

/** The name contains the process id, so that an error can name a process that is too busy to answer. */
const SOCKET_NAME = /^lock-(?<pid>\d+)-[0-9a-f]{16}$/;

/**
 * Makes sure that only one process, and in it only one database, uses a folder. PGlite itself does not check that, and
 * two databases would destroy the folder. After a crash, `kill -9` included, the folder is free at once.
 *
 * Each process that wants the lock listens on a socket with a name of its own in the folder. Only then does it connect
 * to the sockets of other processes. A socket on which no process listens was left behind, and is removed. When a
 * process does listen, the new process gives way. Of any two processes, the one that listened later finds the socket of
 * the other, so they cannot both get the lock. No name is used twice, so the removal of a left-over socket cannot hit a
 * socket that is in use.
 *
 * The folder has to be on a local disk: a socket cannot be reached from another machine.
 *
 * @param folder must exist
 * @param answer answers the requests of other processes of the same user as long as this process has the lock
 * @throws ConfigurationError that names the folder, the process that has it, and the cure
 */
export async function lockFolder(folder: string, answer?: AnswerRequest): Promise<FolderLock> {
  const path = await realpath(folder);
  if (process.platform === 'win32') return await lockPipe(folder, path, answer);
  try {
    return await lockWithSockets(folder, path, answer);
  } catch (error) {
    if (!hasNoSockets(error)) throw error;
    // Some mounts support no sockets, those of Docker on a Mac for example. Every process on such a mount comes here.
    const elsewhere = placeElsewhere(path);
    await mkdir(elsewhere, { recursive: true });
    return await lockWithSockets(folder, elsewhere, answer);
  }
}

/** The process that has locked a folder. `requests` is where it answers requests; a process of an earlier version does not. */
export interface FolderOwner {
  readonly pid: number | undefined;
  readonly host: string | undefined;
  readonly requests: string | undefined;
}

/**
 * Finds the process that has locked a folder, and calls `use` with it; `use` may connect to its `requests` meanwhile. Changes
 * nothing.
 *
 * @returns `undefined` when no process has locked the folder
 */
export async function withOwnerOf<T>(folder: string, use: (owner: FolderOwner) => Promise<T>): Promise<T | undefined> {
  const path = await realpath(folder);
  if (process.platform === 'win32') {
    const owner = await findListener(pipeOf(path));
    return owner && (await use({ pid: owner.pid, host: owner.host, requests: owner.requests }));
  }
  for (const place of [path, placeElsewhere(path)]) {
    if (!existsSync(place)) continue;
    const found = await withShortName(place, async (short) => {
      const owner = await findOther(short, '', false);
      if (!owner) return undefined;
      const { pid, host, requests } = owner;
      return { value: await use({ pid, host, requests: requests && join(short, requests) }) };
    });
    if (found) return found.value;
  }
  return undefined;
}

/** Where the sockets are when the folder's own file system supports none. */
function placeElsewhere(path: string): string {
  return join(tmpdir(), `nestjs-task-queue-${hash(path)}`);
}

/** @param place the folder in which the sockets are */
async function lockWithSockets(folder: string, place: string, answer: AnswerRequest | undefined): Promise<FolderLock> {
  return await withShortName(place, async (short) => {
    for (let attempt = 1; ; attempt++) {
      const own = `lock-${process.pid}-${randomBytes(8).toString('hex')}`;
      let state: LockState = { holds: false };
      const server = await answerOn(join(short, own), () => state);
      let requests: RequestSocket | undefined;
      const lock = {
        async release() {
          await requests?.close();
          await closeSocket(server, join(place, own));
        },
      };
      try {
        const other = await findOther(short, own);
        if (!other) {
          state = { holds: true };
          requests = answer && (await answerRequests(place, short, answer));
          if (requests) state = { holds: true, requests: requests.name };
          return lock;
        }
        if (other.holds || attempt === ATTEMPTS) throw inUseError(folder, other);
      } finally {
        if (!state.holds) await lock.release();
      }
      await delay(Math.random() * LONGEST_WAIT);
    }
  });
}

/** @param removes whether sockets on which no process listens are removed */
async function findOther(place: string, own: string, removes = true): Promise<LockProcess | undefined> {
  for (const name of await readdir(place)) {
    const pid = SOCKET_NAME.exec(name)?.groups?.['pid'];
    if (name === own || pid === undefined) continue;
    const other = await findListener(join(place, name));
    if (other) return { pid: Number(pid), ...other };
    if (removes) await rm(join(place, name), { force: true });
  }
  return undefined;
}

async function closeSocket(server: Server, path: string): Promise<void> {
  server.close();
  await rm(path, { force: true });
}

/**
 * Calls `use` with the folder, or with a temporary link to it when its path is too long for the address of a socket.
 */
async function withShortName<T>(folder: string, use: (folder: string) => Promise<T>): Promise<T> {
  if (Buffer.byteLength(folder) <= LONGEST_FOLDER) return await use(folder);
  const temporary = await mkdtemp(join(tmpdir(), 'tq-'));
  try {
    const link = join(temporary, 'f');
    await symlink(folder, link);
    return await use(link);
  } finally {
    await rm(temporary, { recursive: true });
  }
}

/** On Windows a named pipe ends with its process and has one owner, so the process that listens on it has the lock. */
async function lockPipe(folder: string, path: string, answer: AnswerRequest | undefined): Promise<FolderLock> {
  const pipe = pipeOf(path);
  let requests: RequestSocket | undefined;
  try {
    const server = await answerOn(pipe, () => ({ holds: true, ...(requests && { requests: requests.name }) }));
    requests = answer && (await answerOnPipe(`${pipe}-${randomBytes(8).toString('hex')}`, answer));
    return {
      async release() {
        await requests?.close();
        server.close();
      },
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw inUseError(folder, (await findListener(pipe)) ?? { holds: true });
  }
}

function pipeOf(path: string): string {
  return `\\\\.\\pipe\\nestjs-task-queue-${hash(path.toLowerCase())}`;
}

function hasNoSockets(error: unknown): boolean {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return syscall === 'listen' && ['ENOTSUP', 'EOPNOTSUPP', 'EPERM', 'EINVAL', 'ENOSYS'].includes(code ?? '');
}

function hash(path: string): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 32);
}

function inUseError(folder: string, { pid, host }: LockProcess): ConfigurationError {
  const where = host === undefined || host === hostname() ? '' : ` on ${host}`;
  const user =
    pid === process.pid && !where ? 'another app in this process' : pid ? `process ${pid}${where}` : 'another process';
  return new ConfigurationError(
    `The folder ${folder} of the embedded engine is in use by ${user}. The engine serves one app in one process: stop ` +
      'the other app, give this app another folder (connection: "pglite:<folder>"), or let both share Redis or PostgreSQL ' +
      '(connection or TASK_QUEUE_URL: redis://... or postgres://...).',
  );
}
