import type { DynamicModule, INestApplicationContext } from '@nestjs/common';
import {
  WORKER_CONTROL,
  WORKER_SETTINGS,
  type WorkerControl,
  type WorkerSettings,
} from '../../workers/worker-process.js';
import type { Job } from '../messages.js';
import { configureModule } from './configure.js';
import { quietLogger } from './quiet-logger.js';
import { importFile, moduleOf, nestOf, WrongModuleError } from './load-module.js';

/** An application that runs in this process. */
export interface BootedApplication {
  readonly app: INestApplicationContext;
  readonly control: WorkerControl;
}

/**
 * Boots the application of a job, with the package and the copy of Nest that are in its own folder.
 *
 * @throws WrongModuleError when another attempt gives the same, or what the application throws
 */
export async function boot({ file, exportName, settings }: Job): Promise<BootedApplication> {
  const exports = await importFile(file);
  const module = moduleOf(exports, file, exportName);
  const nest = await nestOf(file);
  const configure = configureModule(exports, nest);
  class WorkerProcessModule {}
  const root: DynamicModule = {
    module: WorkerProcessModule,
    imports: [
      module,
      settingsModule({ ...settings, application: { file, exportName } }),
      ...(configure ? [configure] : []),
    ],
  };
  const app = await nest.NestFactory.createApplicationContext(root, {
    abortOnError: false,
    logger: quietLogger(nest.ConsoleLogger),
  });
  try {
    return { app, control: app.get<WorkerControl>(WORKER_CONTROL, { strict: false }) };
  } catch {
    await app.close();
    throw new WrongModuleError(
      `${module.name} of ${file} does not import TaskQueueModule.forRoot() of this package, so it has no tasks to run. ` +
        'Give the root module of the application.',
    );
  }
}

function settingsModule(settings: WorkerSettings): DynamicModule {
  class WorkerSettingsModule {}
  return {
    module: WorkerSettingsModule,
    global: true,
    providers: [{ provide: WORKER_SETTINGS, useValue: settings }],
    exports: [WORKER_SETTINGS],
  };
}
