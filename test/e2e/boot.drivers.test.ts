import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const imports = ['typescript-loader.js', 'without-package.js'].flatMap((file) => [
  '--import',
  path(`../support/${file}`),
]);

it.each([
  ['ioredis', 'redis://127.0.0.1:1'],
  ['pg', 'postgres://127.0.0.1:1/db'],
  ['@electric-sql/pglite', 'pglite:'],
])('the error about the missing package %s names the command that installs it', async (name, connection) => {
  const boot = promisify(execFile)(process.execPath, [...imports, path('../faults/support/program.ts')], {
    env: { ...process.env, WITHOUT_PACKAGE: name, OPTIONS: JSON.stringify({ connection }), JOURNAL: '/dev/null' },
  });
  const { code, stderr, stdout } = await boot.then(
    () => ({ code: 0, stderr: '', stdout: '' }),
    (error: { code: number; stderr: string; stdout: string }) => error,
  );
  expect(code).toBe(1);
  expect(stdout + stderr).toContain(`needs the package ${name}, which is not installed. Run: npm install ${name}.`);
});

it('the connection memory: needs no other package', async () => {
  const WITHOUT_PACKAGE = 'bullmq,ioredis,pg,@electric-sql/pglite,@nestjs/bullmq,@nestjs/swagger';
  const { stdout } = await promisify(execFile)(process.execPath, [...imports, path('support/only-memory.ts')], {
    env: { ...process.env, WITHOUT_PACKAGE },
  });
  expect(stdout).toBe('42');
});
