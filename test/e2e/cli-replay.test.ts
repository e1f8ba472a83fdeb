import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { chain, Task, TaskContext, TaskProcessor } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { commandsOn } from '../support/command-line.js';
import { createManagedProcess, type ManagedProcess } from '../support/managed-process.js';
import { freePrefix } from '../support/servers.js';

const root = join(import.meta.dirname, '../..');

/** The application whose task fails. It runs here, and the generated test imports its source. */
const APP = `import { Injectable, Module } from '@nestjs/common';
import { Task, TaskContext, TaskProcessor, TaskQueueModule } from 'nestjs-task-queue';

@TaskProcessor({ queue: 'invoices' })
@Injectable()
export class InvoiceTasks {
  constructor(private readonly task: TaskContext) {}

  @Task({ retries: 1, backoff: { type: 'fixed', delay: 0 } })
  send(invoice: { customer: { email: string }; lines: unknown[] }): string {
    if (this.task.attempt < 2) throw new Error('the first attempt fails elsewhere');
    if (!this.task.headers['tenant']) return 'no tenant';
    const line = invoice.lines[0] as { price?: { amount: number } };
    return line.price!.amount.toFixed(2);
  }
}

@Module({ imports: [TaskQueueModule.forRoot()], providers: [InvoiceTasks] })
export class AppModule {}
`;

@Injectable()
@TaskProcessor({ queue: 'invoices' })
class InvoiceTasks {
  constructor(private readonly task: TaskContext) {}

  @Task({ retries: 1, backoff: { type: 'fixed', delay: 0 } })
  send(invoice: { lines: unknown[] }): string {
    if (this.task.attempt < 2) throw new Error('the first attempt fails elsewhere');
    return (invoice.lines[0] as { price: { amount: number } }).price.amount.toFixed(2);
  }

  @Task()
  load(): { lines: unknown[] } {
    return { lines: [] };
  }
}

let project: ManagedProcess;
let booted: Booted;
let cli: ReturnType<typeof commandsOn>;
let id: string;

beforeAll(async () => {
  project = await createManagedProcess();
  mkdirSync(join(project.folder, 'src'));
  writeFileSync(join(project.folder, 'src/app.module.ts'), APP);
  writeFileSync(
    join(project.folder, 'package.json'),
    JSON.stringify({ type: 'module', devDependencies: { '@jest/globals': '*' } }),
  );
  const place = { connection: process.env['TEST_REDIS_URL'] as string, prefix: freePrefix() };
  cli = commandsOn(place);
  booted = await boot({ ...place, http: false }, [InvoiceTasks]);
  const call = booted.queue.of('InvoiceTasks.send').with({ headers: { tenant: 'acme' }, retries: 1 });
  const handle = await call.enqueue({ customer: { email: 'ann@corp.test' }, lines: [{ sku: 'A-4711' }] });
  await handle.result().catch(() => undefined);
  id = handle.id;
});
afterAll(async () => {
  await booted.app.close();
  await project.close();
});

const replay = (args: string) => cli(`replay ${args}`, { folder: project.folder });
const file = (name: string) => join(project.folder, name);

test('the written test fails under Jest as the task failed, and passes once the cause is mended', async () => {
  const { code, out } = await replay(`${id} --to test/replay.spec.ts`);
  expect(out).toMatch(/^Wrote test\/replay\.spec\.ts\. Each value is a placeholder of its type\./);
  expect(code).toBe(0);
  expect(readFileSync(file('test/replay.spec.ts'), 'utf8')).not.toMatch(/corp\.test|4711|acme/);

  const failed = await runJest();
  expect(failed.output).toContain('✕ InvoiceTasks.send does not fail with TypeError');
  expect(failed.output).toContain("TypeError: Cannot read properties of undefined (reading 'amount')");
  expect(failed.output).toMatch(/> \d+ \| +return line\.price!\.amount/);
  expect(failed.code).toBe(1);

  writeFileSync(file('src/app.module.ts'), APP.replace('line.price!.amount', '(line.price?.amount ?? 0)'));
  const mended = await runJest();
  expect(mended.output).toContain('✓ InvoiceTasks.send does not fail with TypeError');
  expect(mended.code).toBe(0);
}, 60_000);

test('a file that is there is replaced only with --force', async () => {
  writeFileSync(file('mine.spec.ts'), 'mine');
  const refused = await replay(`${id} --to mine.spec.ts`);
  expect(refused).toMatchObject({ code: 1, out: '' });
  expect(refused.err).toMatch(
    /mine\.spec\.ts is there already\. Give another file with --to, or --force to replace it\.\n$/,
  );
  expect(readFileSync(file('mine.spec.ts'), 'utf8')).toBe('mine');
  expect(await replay(`${id} --to mine.spec.ts --force --with-values`)).toMatchObject({ code: 0 });
  expect(readFileSync(file('mine.spec.ts'), 'utf8')).toContain('"email": "ann@corp.test"');
});

test('a step of a chain is replayed with the result of the step before', async () => {
  const workflow = await chain(
    booted.queue.of(InvoiceTasks).load.signature(),
    booted.queue.of(InvoiceTasks).send.signature(),
  ).enqueue();
  await workflow.result().catch(() => undefined);
  expect(await replay(`${workflow.id} --to step.spec.ts`)).toMatchObject({ code: 0 });
  expect(readFileSync(file('step.spec.ts'), 'utf8')).toContain('"lines": []');
});

test('a task that has not failed cannot be replayed', async () => {
  const handle = await booted.queue.of(InvoiceTasks).load.enqueue();
  await handle.result();
  expect(await replay(`${handle.id} --to other.spec.ts`)).toMatchObject({
    code: 2,
    err: `Task InvoiceTasks.load (${handle.id}) is succeeded. Give the id of a task that failed.\n`,
  });
  expect(await replay(`nothing --to other.spec.ts`)).toMatchObject({ code: 1 });
});

/** Runs the generated test as an application does, with the source of this package in place of the installed one. */
async function runJest(): Promise<{ code: number; output: string }> {
  const config = {
    rootDir: project.folder,
    testMatch: ['<rootDir>/test/**/*.spec.ts'],
    modulePaths: [join(root, 'node_modules')],
    extensionsToTreatAsEsm: ['.ts'],
    transform: {
      '^.+\\.ts$': [join(root, 'node_modules/@swc/jest'), SWC],
      '^.+\\.cts$': [join(root, 'node_modules/@swc/jest'), { ...SWC, module: { type: 'commonjs' } }],
    },
    moduleFileExtensions: ['js', 'mjs', 'cjs', 'ts', 'cts', 'json', 'node'],
    moduleNameMapper: {
      '^nestjs-task-queue$': join(root, 'lib/index.ts'),
      '^nestjs-task-queue/testing$': join(root, 'lib/testing/index.ts'),
      '^(\\.{1,2}/.*)\\.js$': '$1',
      '^(\\.{1,2}/.*)\\.cjs$': ['$1.cjs', '$1.cts'],
    },
  };
  const args = [
    '--experimental-vm-modules',
    join(root, 'node_modules/jest/bin/jest.js'),
    '--verbose',
    '--config',
    JSON.stringify(config),
  ];
  const env = { ...process.env, NODE_OPTIONS: '', NO_COLOR: '1', FORCE_COLOR: '0' };
  const run = promisify(execFile)(process.execPath, args, { cwd: project.folder, env });
  return run.then(
    ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      code: error.code,
      output: error.stdout + error.stderr,
    }),
  );
}

/** The settings of `.swcrc`, which Jest does not find from another folder. */
const SWC = JSON.parse(readFileSync(join(root, '.swcrc'), 'utf8')) as object;
