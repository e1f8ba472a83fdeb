import {
  Controller,
  Get,
  Module,
  Query,
  type INestApplication,
  type LoggerService,
  type Provider,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheck, HealthCheckService, TerminusModule, type HealthCheckResult } from '@nestjs/terminus';
import { TaskQueue, TaskQueueModule, type TaskQueueOptions } from 'nestjs-task-queue';
import { TaskQueueHealthIndicator, TaskQueueHealthModule } from 'nestjs-task-queue/health';
import type { AddressInfo } from 'node:net';
import { request } from './http-client.js';

/** Serves each probe under its name. The query `options` has its options as JSON. */
@Controller('health')
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly tasks: TaskQueueHealthIndicator,
  ) {}

  @Get('engine')
  @HealthCheck()
  engine(@Query('options') options = '{}'): Promise<HealthCheckResult> {
    return this.health.check([() => this.tasks.engine(JSON.parse(options))]);
  }

  @Get('consuming')
  @HealthCheck()
  consuming(@Query('options') options = '{}'): Promise<HealthCheckResult> {
    return this.health.check([() => this.tasks.consuming(JSON.parse(options))]);
  }

  @Get('backlog')
  @HealthCheck()
  backlog(@Query('options') options = '{}'): Promise<HealthCheckResult> {
    return this.health.check([() => this.tasks.backlog(JSON.parse(options))]);
  }

  @Get('schedules')
  @HealthCheck()
  schedules(@Query('options') options = '{}'): Promise<HealthCheckResult> {
    return this.health.check([() => this.tasks.schedules(JSON.parse(options))]);
  }
}

@Module({
  imports: [TerminusModule.forRoot({ logger: false }), TaskQueueHealthModule],
  controllers: [HealthController],
})
class HealthModule {}

/** The answer of a probe over HTTP. */
export interface Probe {
  readonly status: number;
  /** What the answer says about the single indicator. */
  readonly detail: Readonly<Record<string, unknown>>;
  readonly key: string;
  /** Milliseconds until the answer. */
  readonly took: number;
}

export type ProbeName = 'engine' | 'consuming' | 'backlog' | 'schedules';

/** Asks an application that serves the probes. */
export async function probe(url: string, name: ProbeName, options: object = {}): Promise<Probe> {
  const begun = performance.now();
  const { status, json } = await request(url, `/health/${name}?options=${encodeURIComponent(JSON.stringify(options))}`);
  const { details } = json() as { details?: Record<string, Record<string, unknown>> };
  const [key = '', detail = {}] = Object.entries(details ?? {})[0] ?? [];
  return { status, key, detail, took: performance.now() - begun };
}

/** Starts an application with a terminus controller. */
export async function startHealthApp(
  options: TaskQueueOptions,
  providers: Provider[] = [],
  logger: LoggerService | false = false,
) {
  @Module({ imports: [TaskQueueModule.forRoot(options), HealthModule], providers })
  class App {}
  const app: INestApplication = await NestFactory.create(App, { logger, abortOnError: false });
  await app.listen(0, '127.0.0.1');
  const url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
  return {
    app,
    url,
    queue: app.get(TaskQueue),
    probe: (name: ProbeName, probeOptions: object = {}) => probe(url, name, probeOptions),
  };
}

export type HealthApp = Awaited<ReturnType<typeof startHealthApp>>;
