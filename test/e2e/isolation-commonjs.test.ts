import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { transform, type Options } from '@swc/core';
import { freePrefix } from '../support/servers.js';

/** An application that is CommonJS, with isolated tasks, as both compilers of Nest's command line make it. It uses the built package. */

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'isolation-commonjs-'));
  for (const name of ['src', 'swc', 'packages']) mkdirSync(join(folder, name));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'packages/nestjs-task-queue'));
  // Without `type`, its files are CommonJS.
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'application' }));
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(TSC));
  for (const [file, text] of Object.entries(SOURCES)) {
    writeFileSync(join(folder, `src/${file}.ts`), text);
    writeFileSync(join(folder, `swc/${file}.js`), (await transform(text, SWC)).code);
  }
  await run(process.execPath, [join(root, 'node_modules/@typescript/native/bin/tsc'), '-p', folder]);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each([
  ['tsc', 'the embedded engine'],
  ['swc', 'the embedded engine'],
  ['tsc', 'Redis'],
])(
  'compiled by %s, it runs its isolated tasks on %s, and its processes end',
  async (compiler, engine) => {
    const { stdout } = await run(process.execPath, [join(folder, compiler, 'main.js')], {
      cwd: folder,
      env: {
        PATH: process.env['PATH'],
        NODE_PATH: join(folder, 'packages'),
        TASK_QUEUE_URL: engine === 'Redis' ? process.env['TEST_REDIS_URL'] : 'pglite:',
        TASK_QUEUE_PREFIX: freePrefix(),
      },
    });
    expect(JSON.parse(stdout)).toEqual({
      ...{ text: 'Hello, Ada!', isCommonJs: true, isOtherProcess: true },
      ...{ enqueued: 'sent to Ada', error: 'No name.', code: 'NO_NAME' },
    });
  },
  120_000,
);

const TSC = {
  compilerOptions: {
    ...{ module: 'nodenext', target: 'es2022', strict: true, skipLibCheck: true, types: ['node'] },
    ...{ experimentalDecorators: true, emitDecoratorMetadata: true, rootDir: 'src', outDir: 'tsc' },
    paths: { 'nestjs-task-queue': [join(root, 'dist/cjs/index.d.ts')] },
  },
  include: ['src/*.ts'],
};

/** How Nest's builder `swc` compiles. */
const SWC: Options = {
  configFile: false,
  swcrc: false,
  module: { type: 'commonjs' },
  jsc: {
    target: 'es2022',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
    keepClassNames: true,
  },
};

/** An application with an isolated task, whose children boot its module. */
const SOURCES = {
  'app.module': `import { Injectable, Module } from '@nestjs/common';
import { InjectTasks, Task, TaskProcessor, TaskQueueModule, type Tasks } from 'nestjs-task-queue';

@Injectable()
export class Greetings {
  of(name: string): string {
    return \`Hello, \${name}!\`;
  }
}

@TaskProcessor({ queue: 'mails' })
export class MailTasks {
  @Task()
  send(name: string): string {
    return \`sent to \${name}\`;
  }
}

@TaskProcessor({ queue: 'greetings', isolate: true })
export class GreetingTasks {
  constructor(
    private readonly greetings: Greetings,
    @InjectTasks(MailTasks) private readonly mails: Tasks<MailTasks>,
  ) {}

  @Task()
  async greet(name: string): Promise<{ text: string; pid: number; isCommonJs: boolean; enqueued: string }> {
    const mail = await this.mails.send.enqueue(name);
    const enqueued = await mail.result({ timeout: '30s' });
    const isCommonJs = require.cache[__filename] !== undefined;
    return { text: this.greetings.of(name), pid: process.pid, isCommonJs, enqueued };
  }

  @Task()
  fail(): never {
    throw Object.assign(new Error('No name.'), { code: 'NO_NAME' });
  }
}

@Module({
  imports: [TaskQueueModule.forRoot({ isolation: { app: require.resolve('./app.module'), processes: 1 } })],
  providers: [Greetings, MailTasks, GreetingTasks],
})
export class AppModule {}
`,
  main: `import { NestFactory } from '@nestjs/core';
import { TaskFailedError, TaskQueue } from 'nestjs-task-queue';
import { AppModule, GreetingTasks } from './app.module';

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  const tasks = app.get(TaskQueue).of(GreetingTasks);
  const { pid, ...result } = await (await tasks.greet.enqueue('Ada')).result({ timeout: '60s' });
  const failing = await tasks.fail.enqueue();
  const error: unknown = await failing.result({ timeout: '60s' }).catch((thrown: unknown) => thrown);
  const cause = error instanceof TaskFailedError ? (error.cause as { message: string; code: string }) : undefined;
  const isOtherProcess = pid !== process.pid;
  console.log(JSON.stringify({ ...result, isOtherProcess, error: cause?.message, code: cause?.code }));
  await app.close();
}

void main();
`,
};
