import { accessSync, existsSync, statfsSync } from 'node:fs';
import { access, constants, mkdir, open, rm, stat, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { ConfigurationError } from '../../../errors.js';

/** Bytes that the check writes: a file system that is full has no place for them. */
const PROBE_SIZE = 64 * 1024;

/**
 * Creates the folder when it is missing, and checks that files can be written there. A new folder gets a `.gitignore` that
 * keeps it out of git.
 *
 * @throws ConfigurationError with the folder and the cure
 */
export async function makeUsableFolder(folder: string): Promise<void> {
  try {
    if (await makeFolder(folder)) await writeFile(join(folder, '.gitignore'), '*\n');
    await writeProbe(folder);
    checkFolder(folder);
    const database = join(folder, 'database');
    if (existsSync(database)) await checkDatabase(database);
  } catch (error) {
    throw unusable(folder, (error as Error).message, error);
  }
}

/**
 * Creates a folder and those above it. Node's own option `recursive` never answers where the system reports the folder
 * above as missing although it is there, as in `/proc`.
 *
 * @returns false when the folder was there
 */
async function makeFolder(folder: string): Promise<boolean> {
  try {
    return await makeLastFolder(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await makeFolder(dirname(folder));
    return makeLastFolder(folder);
  }
}

async function makeLastFolder(folder: string): Promise<boolean> {
  try {
    await mkdir(folder);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(folder)).isDirectory()) return false;
    throw error;
  }
}

async function writeProbe(folder: string): Promise<void> {
  const probe = join(folder, `probe-${randomBytes(8).toString('hex')}`);
  try {
    const file = await open(probe, 'wx');
    try {
      await file.writeFile(Buffer.alloc(PROBE_SIZE));
      await file.sync();
    } finally {
      await file.close();
    }
  } finally {
    await rm(probe, { force: true }).catch(() => undefined);
  }
}

/** The folders in which PostgreSQL creates files, and the file that it rewrites most often. */
async function checkDatabase(database: string): Promise<void> {
  for (const part of ['', 'base', 'global', 'pg_wal'])
    await access(join(database, part), constants.R_OK | constants.W_OK);
  await (await open(join(database, 'global', 'pg_control'), 'r+')).close();
}

/** Bytes that have to be free: two of the files in which PostgreSQL logs its changes. */
const LEAST_SPACE = 32 * 1024 * 1024;

/**
 * Checks that the folder is there, can be written, and has space left. It takes some microseconds, and is called before each
 * statement: PGlite stops the whole process when it cannot write in the middle of one.
 *
 * @throws Error with a code of PostgreSQL that means an outage, so that the engine goes on once the folder can be used again
 */
export function checkFolder(folder: string): void {
  try {
    accessSync(folder, constants.R_OK | constants.W_OK);
  } catch (error) {
    throw outage(`${(error as Error).message}. Make the folder writable again`, READ_ONLY);
  }
  const { bavail, blocks, bsize } = statfsSync(folder);
  // Some file systems do not tell their size.
  if (blocks === 0 || bavail * bsize >= LEAST_SPACE) return;
  const free = Math.floor((bavail * bsize) / 1024 / 1024);
  throw outage(`only ${free} MB are free in ${folder}, and 32 MB are needed. Free some space`, DISK_FULL);
}

/** SQLSTATE. */
const READ_ONLY = '25006';
const DISK_FULL = '53100';

function outage(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}

/** The words of Node and of PostgreSQL for a file system that refuses to write. */
const REFUSED =
  /EACCES|EPERM|EROFS|ENOSPC|EDQUOT|EIO|Permission denied|Operation not permitted|Read-only file system|No space left|Disk quota exceeded/i;

/** The error with its cure, when the file system refused to write; `undefined` for any other error. */
export function asFolderError(error: unknown, folder: string): ConfigurationError | undefined {
  if (error instanceof ConfigurationError) return undefined;
  const { code = '', message = '' } = error as { code?: string; message?: string };
  return REFUSED.test(`${code} ${message}`) ? unusable(folder, message, error) : undefined;
}

function unusable(folder: string, reason: string, cause: unknown): ConfigurationError {
  return new ConfigurationError(
    `The folder ${folder} of the embedded engine cannot be used: ${reason}. Make it writable for this user, with space left, or ` +
      'choose another folder (connection: "pglite:<folder>"), or keep the tasks in memory (connection: "pglite:").',
    { cause },
  );
}
