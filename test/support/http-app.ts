import {
  Module,
  type DynamicModule,
  type INestApplication,
  type LoggerService,
  type Provider,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { AddressInfo } from 'node:net';
import { httpProviders } from '../../lib/http/http.providers.js';
import { HttpSetup } from '../../lib/http/http-setup.js';
import type { HttpOptions, ResolvedHttpOptions } from '../../lib/http/http-options.js';
import { HTTP_OPTIONS } from '../../lib/http/http-options.js';
import { TaskResults } from '../../lib/results/task-results.js';
import { FakeEngine } from './fake-engine.js';

export const platforms = ['express', 'fastify'] as const;
export type Platform = (typeof platforms)[number];

@Module({})
export class TasksOverHttpModule {
  constructor(private readonly setup: HttpSetup) {}

  configure(): void {
    this.setup.configure();
  }
}

/** A module with only the HTTP providers and a fake engine. */
export function tasksOverHttp(engine: FakeEngine, http?: false | HttpOptions): DynamicModule {
  const { controllers, providers } = httpProviders({ inject: [], useFactory: () => http });
  return {
    module: TasksOverHttpModule,
    controllers,
    providers: [...providers, { provide: TaskResults, useFactory: () => new TaskResults(engine) }],
    exports: [TaskResults, HTTP_OPTIONS],
    global: true,
  };
}

export interface Setting {
  engine?: FakeEngine;
  http?: false | HttpOptions;
  imports?: DynamicModule[];
  controllers?: Type[];
  providers?: Provider[];
  /** Shorter times of the endpoint, in milliseconds, where its defaults are too long for a test. */
  times?: Partial<Pick<ResolvedHttpOptions, 'longestWait' | 'heartbeat' | 'authorizeLimit' | 'closingInterval'>>;
  /** Whether `request.ip` is the address that a proxy reports in `X-Forwarded-For`. Default: `false`. */
  trustProxy?: boolean;
  /** Called before the application starts. */
  prepare?(app: INestApplication): void;
}

/** Collects the log lines of level error, with their stacks, and those of level warn. */
export class ErrorLog implements LoggerService {
  readonly errors: string[] = [];
  readonly warnings: string[] = [];
  log(): void {}
  warn(message: unknown): void {
    this.warnings.push(String(message));
  }
  error(...parts: unknown[]): void {
    this.errors.push(parts.map(String).join('\n'));
  }
}

/** Starts an application that listens on a free port. */
export async function startApp(platform: Platform, setting: Setting = {}) {
  const engine = setting.engine ?? new FakeEngine();
  const log = new ErrorLog();
  const module: DynamicModule = {
    module: class AppModule {},
    imports: [tasksOverHttp(engine, setting.http), ...(setting.imports ?? [])],
    controllers: setting.controllers ?? [],
    providers: setting.providers ?? [],
  };
  const { trustProxy = false } = setting;
  const adapter = platform === 'express' ? new ExpressAdapter() : new FastifyAdapter({ trustProxy });
  if (adapter instanceof ExpressAdapter) adapter.set('trust proxy', trustProxy);
  const app = await NestFactory.create(module, adapter, { logger: log, abortOnError: false });
  if (setting.http !== false) Object.assign(app.get<object>(HTTP_OPTIONS), setting.times);
  setting.prepare?.(app);
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  return { app, engine, log, url: `http://127.0.0.1:${port}` };
}
