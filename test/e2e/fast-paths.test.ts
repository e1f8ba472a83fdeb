import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';
import { describeEachEngine } from '../support/engines.js';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

describeEachEngine('the package', (engine) => {
  it('leaves the application the fast paths of V8', async () => {
    // Redefining the iterator of a single array, for example, makes each destructuring in the whole process slower.
    const args = ['--allow-natives-syntax', '--import', path('../support/typescript-loader.js')];
    const { stdout } = await promisify(execFile)(process.execPath, [...args, path('support/fast-paths.ts')], {
      env: { ...process.env, OPTIONS: JSON.stringify(await engine.place()) },
    });
    expect(JSON.parse(stdout)).toEqual([]);
  }, 120_000);
});
