import type { DynamicModule, INestApplication, INestApplicationContext, Type } from '@nestjs/common';
import type { ApplicationConfig, ModuleRef } from '@nestjs/core';
import type { Class, Exports, Nest } from './load-module.js';

/** The name of the function that a file of the application may export beside its module. */
const HOOK = 'configureWorker';

/**
 * What the function `configureWorker` gets: the application before its start, as far as `main.ts` and a process without HTTP have it in
 * common.
 */
export type WorkerApplication = Pick<INestApplicationContext, 'get'> &
  Pick<
    INestApplication,
    'useGlobalPipes' | 'useGlobalGuards' | 'useGlobalInterceptors' | 'useGlobalFilters' | 'useLogger'
  >;

/**
 * A module that calls `configureWorker(app)` when all providers exist, and before any of them starts, as `main.ts` does between
 * `NestFactory.create()` and `listen()`. `undefined` when the file does not export the function.
 */
export function configureModule(exports: Exports, nest: Nest): DynamicModule | undefined {
  const hook = exports.get(HOOK);
  if (typeof hook !== 'function') return undefined;
  class ConfigureWorkerModule {}
  return {
    module: ConfigureWorkerModule,
    providers: [
      {
        provide: HOOK,
        inject: [nest.ModulesContainer, nest.ApplicationConfig, nest.ModuleRef],
        useFactory: (modules: Map<string, DistantModule>, config: ApplicationConfig, moduleRef: ModuleRef) => {
          // Nest starts the modules that are the farthest from the root module first.
          for (const module of modules.values())
            if (module.metatype === ConfigureWorkerModule) module.distance = Infinity;
          return { onModuleInit: () => (hook as Configure)(applicationOf(config, moduleRef, nest)) };
        },
      },
    ],
  };
}

type Configure = (app: WorkerApplication) => unknown;

interface DistantModule {
  readonly metatype: Class;
  distance: number;
}

function applicationOf(config: ApplicationConfig, moduleRef: ModuleRef, nest: Nest): WorkerApplication {
  const app = {
    get: (token: Type | string | symbol) => moduleRef.get<unknown>(token, { strict: false }),
    useGlobalPipes: returnsApp(config.useGlobalPipes.bind(config)),
    useGlobalGuards: returnsApp(config.useGlobalGuards.bind(config)),
    useGlobalInterceptors: returnsApp(config.useGlobalInterceptors.bind(config)),
    useGlobalFilters: returnsApp(config.useGlobalFilters.bind(config)),
    useLogger: (logger: unknown) => nest.Logger.overrideLogger(logger),
  };
  function returnsApp<A extends unknown[]>(use: (...enhancers: A) => unknown) {
    return (...enhancers: A) => {
      use(...enhancers);
      return app;
    };
  }
  return app as unknown as WorkerApplication;
}
