import { statfs } from 'node:fs/promises';
import type { PgQueryable } from 'bullmq';
import { bytesText, fine, finding, fullness, type Finding } from '../../ports/diagnosis-port.js';

/** Checks the embedded database and the disk that it is on. */
export async function diagnoseEmbedded(
  client: PgQueryable,
  folder: string | undefined,
  address: string,
): Promise<Finding[]> {
  const start = performance.now();
  const { rows } = await client.query<{ version: string }>("SELECT current_setting('server_version') AS version");
  const took = Math.max(1, Math.round(performance.now() - start));
  const engine = fine(
    'engine',
    `${address} (PostgreSQL ${rows[0]?.version ?? '?'} inside of the process) answers in ${took} ms`,
  );
  if (folder === undefined) {
    const cure = 'Give it a folder (connection: "pglite:<folder>") where tasks must survive.';
    return [engine, finding('persistence', 'warn', 'The tasks are in memory and end with the process.', cure)];
  }
  const { bavail, blocks, bsize } = await statfs(folder);
  const [free, whole] = [bavail * bsize, blocks * bsize];
  return [
    engine,
    fine('persistence', 'A commit survives the end of the process; a power cut may lose the last ones.'),
    fullness(
      'disk',
      whole - free,
      whole,
      `${bytesText(free)} free of ${bytesText(whole)}.`,
      'Make room on the disk, or move the folder to another one.',
    ),
  ];
}
