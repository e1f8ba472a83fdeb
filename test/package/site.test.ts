import { expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createManagedProcess } from '../support/managed-process.js';

const root = join(import.meta.dirname, '../..');

test('npm run docs builds a site without a broken link: the guide in its order, the API, a search', async () => {
  const managed = await createManagedProcess();
  try {
    const site = join(managed.folder, 'site');
    // It fails when a link leads nowhere.
    const built = promisify(execFile)(process.execPath, ['scripts/docs.js', '--out', site], { cwd: root });
    await expect(built).resolves.toMatchObject({ stdout: expect.stringContaining('pages of the guide') });
    expect(existsSync(join(site, 'assets/search.js'))).toBe(true);
    expect(existsSync(join(site, 'index/TaskQueueModule.html'))).toBe(true);
    expect(readFileSync(join(site, 'index.html'), 'utf8')).toContain('In thirty seconds');
  } finally {
    await managed.close();
  }
}, 300_000);
