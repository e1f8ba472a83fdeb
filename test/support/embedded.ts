import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { openEmbeddedDatabase, type EmbeddedDatabase } from '../../lib/engine/bullmq/embedded/embedded-database.js';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** Makes the prepared database that an installed package contains, because the tests run without a build. */
export function withPreparedDatabase(): void {
  beforeAll(async () => {
    const [code] = await once(fork(path('../../scripts/build-embedded-snapshot.mjs'), { execArgv: [] }), 'exit');
    if (code !== 0) throw new Error('scripts/build-embedded-snapshot.mjs failed');
  }, 120_000);
}

/**
 * Creates folders, databases and processes. It closes databases and processes after each test, and removes the folders
 * last.
 */
export function embeddedFixture() {
  const root = mkdtempSync(join(tmpdir(), 'embedded-'));
  const databases: EmbeddedDatabase[] = [];
  const processes: ChildProcess[] = [];
  let folders = 0;

  afterEach(async () => {
    await Promise.all(databases.splice(0).map((database) => database.close()));
    await Promise.all(processes.splice(0).map(kill));
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  const logged: string[] = [];
  return {
    logged,
    newFolder: () => join(root, `folder-${++folders}`),
    async open(options: Partial<Parameters<typeof openEmbeddedDatabase>[0]> = {}) {
      const logger = { log: (message: string) => logged.push(message) };
      const database = await openEmbeddedDatabase({ schema: 'tasks', logger, ...options });
      databases.push(database);
      return database;
    },
    /** Opens the folder in another process. embedded-process.ts describes the actions. */
    async openElsewhere(folder: string, action: 'hold' | 'enqueue' = 'hold') {
      const child = fork(path('embedded-process.ts'), [folder, action], {
        execArgv: ['--import', path('typescript-loader.js')],
      });
      processes.push(child);
      const [message] = await once(child, 'message');
      return {
        pid: child.pid!,
        message: message as string,
        kill: () => kill(child),
        freeze: () => child.kill('SIGSTOP'),
      };
    },
  };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
