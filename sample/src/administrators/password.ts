import { randomInt } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const SHORTEST = 12;

export interface Password {
  readonly text: string;
  /** Where the password comes from: of the environment, or made up for a developer. */
  readonly origin: 'environment' | 'file';
}

/**
 * The password of the administrators: `SAMPLE_ADMIN_PASSWORD`. Without it, a developer gets one that is made up once and stored in the data
 * folder, so that a restart signs nobody out. There is no default password, and in production none is made up either.
 *
 * @throws Error when the password is missing in production, or too short
 */
export function administratorPassword(env: NodeJS.ProcessEnv = process.env): Password {
  const { SAMPLE_ADMIN_PASSWORD: text, NODE_ENV: mode, SAMPLE_DATA: folder = '.sample-data' } = env;
  if (text === undefined && mode === 'production')
    throw new Error('SAMPLE_ADMIN_PASSWORD is not set. In production the sample starts only with a password.');
  if (text === undefined) return { text: storedPassword(resolve(folder)), origin: 'file' };
  if (text.length < SHORTEST)
    throw new Error(`SAMPLE_ADMIN_PASSWORD has ${text.length} characters. Give at least ${SHORTEST}.`);
  return { text, origin: 'environment' };
}

function storedPassword(folder: string): string {
  const path = join(folder, 'administrator-password');
  mkdirSync(folder, { recursive: true });
  try {
    // Two processes that start at the same time agree on the password of the first one.
    writeFileSync(path, madeUpPassword(), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return readFileSync(path, 'utf8');
}

/** 16 letters and digits that are hard to confuse, about 79 bits. */
function madeUpPassword(): string {
  const alphabet = 'abcdefghjkmnpqrstuvwxyz23456789';
  const letters = Array.from({ length: 16 }, () => alphabet.charAt(randomInt(alphabet.length)));
  return letters.join('').replaceAll(/(.{4})(?=.)/g, '$1-');
}
