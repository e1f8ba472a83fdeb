import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Application } from './support/application.js';

/** A CommonJS application that uses a feature module which is published as ES modules. */
describe('a CommonJS application with an ES module of a feature', () => {
  let app: Application;

  beforeAll(async () => {
    app = await Application.generate(11);
    app.write('feature/package.json', JSON.stringify({ name: 'feature', type: 'module', main: './index.js' }));
    app.write('feature/index.ts', FEATURE);
    app.write('src/app.module.ts', APPLICATION);
    app.write('src/try-it.ts', PROGRAM);
    app.write('src/traces.ts', TRACES);
    await app.install(
      'bullmq',
      'ioredis@5',
      '@electric-sql/pglite',
      '@opentelemetry/api@1.9',
      '@opentelemetry/sdk-trace-node@2',
    );
    const decorators = ['--experimentalDecorators', '--emitDecoratorMetadata', '--skipLibCheck'];
    await app.bin('tsc', 'feature/index.ts', '--module', 'nodenext', '--target', 'es2022', ...decorators);
    await app.npm('run', 'build');
  }, 600_000);
  afterAll(() => app.close(), 300_000);

  test.each([
    ['the embedded engine', 'pglite:'],
    ['Redis', process.env['TEST_REDIS_URL'] as string],
  ])(
    'a task of the feature runs on %s with the classes of the application',
    async (_, url) => {
      const { stdout } = await app.node(['dist/src/try-it'], { TASK_QUEUE_URL: url, TASK_QUEUE_PREFIX: 'mixed' });
      expect(JSON.parse(stdout)).toEqual({
        result: 'hello from a task named FeatureTasks.greet',
        sameContext: true,
        sameHandle: true,
      });
    },
    120_000,
  );

  test('it has traces', async () => {
    const { stdout } = await app.node(['dist/src/traces'], { TASK_QUEUE_URL: 'pglite:', TASK_QUEUE_PREFIX: 'mixed' });
    expect(JSON.parse(stdout)).toEqual({
      names: ['enqueue FeatureTasks.greet', 'run FeatureTasks.greet'],
      isLinked: true,
    });
  }, 120_000);

  test('the command line runs in the folder of the application', async () => {
    const { stdout } = await app.bin('nestjs-task-queue', '--help');
    expect(stdout).toContain('Usage: nestjs-task-queue');
  });
});

const FEATURE = `import { Injectable, Module } from '@nestjs/common';
import { Task, TaskContext, TaskHandle } from 'nestjs-task-queue';

@Injectable()
export class FeatureTasks {
  constructor(private readonly task: TaskContext) {}

  @Task()
  async greet(name: string): Promise<string> {
    return \`\${name} from a task named \${this.task.name}\`;
  }
}

@Module({ providers: [FeatureTasks], exports: [FeatureTasks] })
export class FeatureModule {}

export const classes = { TaskContext, TaskHandle };
`;

const APPLICATION = `import { Injectable, Module } from '@nestjs/common';
import { InjectTasks, TaskContext, TaskHandle, TaskQueueModule, type Tasks } from 'nestjs-task-queue';

// The compiler of this application knows nothing of ES modules; Node loads them with require.
// eslint-disable-next-line @typescript-eslint/no-require-imports
const feature = require('../../feature/index.js');

@Injectable()
export class Greeter {
  constructor(@InjectTasks(feature.FeatureTasks) private readonly tasks: Tasks<{ greet(name: string): Promise<string> }>) {}

  async greet(): Promise<object> {
    const handle = await this.tasks.greet.enqueue('hello');
    return {
      result: await handle.result({ timeout: '30s' }),
      sameContext: feature.classes.TaskContext === TaskContext,
      sameHandle: handle instanceof feature.classes.TaskHandle && feature.classes.TaskHandle === TaskHandle,
    };
  }
}

@Module({ imports: [TaskQueueModule.forRoot(), feature.FeatureModule], providers: [Greeter] })
export class AppModule {}
`;

const PROGRAM = `import { NestFactory } from '@nestjs/core';
import { AppModule, Greeter } from './app.module';

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  console.log(JSON.stringify(await app.get(Greeter).greet()));
  await app.close();
}

void main();
`;

const TRACES = `import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { TaskTelemetryModule } from 'nestjs-task-queue/telemetry';
import { AppModule, Greeter } from './app.module';

@Module({ imports: [AppModule, TaskTelemetryModule.forRoot()] })
class TracedModule {}

async function main(): Promise<void> {
  const exporter = new InMemorySpanExporter();
  new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();
  const app = await NestFactory.createApplicationContext(TracedModule, { logger: false });
  await app.get(Greeter).greet();
  // The end of the attempt is a moment before that of its task.
  await app.close();
  const [sent, run] = exporter.getFinishedSpans().filter(({ name }) => name.includes('greet'));
  console.log(
    JSON.stringify({
      names: [sent.name, run.name],
      isLinked: run.links[0].context.spanId === sent.spanContext().spanId,
    }),
  );
}

void main();
`;
