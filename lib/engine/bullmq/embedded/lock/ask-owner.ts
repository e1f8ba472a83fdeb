import { hostname } from 'node:os';
import { EngineUnavailableError } from '../../../../errors.js';
import type { Json } from '../../../json.js';
import { withOwnerOf } from './folder-lock.js';
import { askOn } from './request-socket.js';

/** Whether a process has opened the folder. */
export async function hasOwner(folder: string): Promise<boolean> {
  return (await withOwnerOf(folder, async () => true)) ?? false;
}

/**
 * Asks the process that has opened the folder.
 *
 * @throws EngineUnavailableError when it does not answer, or no process has opened the folder any more
 * @throws RequestRefusedError with the error of the other process
 */
export async function askOwner(folder: string, request: Json): Promise<Json> {
  const answer = await withOwnerOf(folder, async ({ pid, host, requests }) => {
    if (requests !== undefined) return { value: await askOn(requests, request) };
    const process =
      pid === undefined
        ? 'A process'
        : `Process ${pid}${host === undefined || host === hostname() ? '' : ` on ${host}`}`;
    throw new EngineUnavailableError(
      `${process} has opened the folder ${folder} and answers no commands: it starts, is busy, belongs to another user, or runs ` +
        'an earlier version of this package. Try again, or stop it.',
    );
  });
  if (answer) return answer.value;
  throw new EngineUnavailableError(`The process that had opened the folder ${folder} has ended. Try again.`);
}
