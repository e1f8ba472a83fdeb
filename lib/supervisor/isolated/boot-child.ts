import type { DynamicModule, INestApplicationContext } from '@nestjs/common';
import { ISOLATED_WORKER, PARENT_LINK, type ParentLink } from '../../isolation/isolated-process.js';
import type { ChildJob } from '../../isolation/messages.js';
import { findApplication } from '../application-file.js';
import { configureModule } from '../process/configure.js';
import { importFile, moduleOf, nestOf, WrongModuleError } from '../process/load-module.js';
import { quietLogger } from '../process/quiet-logger.js';

/**
 * Boots the application of a job, with the package and the copy of Nest that are in its own folder, and connects it with the parent.
 *
 * @throws WrongModuleError or ConfigurationError when another attempt gives the same, or what the application throws
 */
export async function bootChild({ file, exportName }: ChildJob, link: ParentLink): Promise<INestApplicationContext> {
  const { file: found } = findApplication(file, process.cwd());
  const exports = await importFile(found);
  const module = moduleOf(exports, found, exportName);
  const nest = await nestOf(found);
  const configure = configureModule(exports, nest);
  class IsolatedProcessModule {}
  const root: DynamicModule = {
    module: IsolatedProcessModule,
    imports: [module, linkModule(link), ...(configure ? [configure] : [])],
  };
  const app = await nest.NestFactory.createApplicationContext(root, {
    abortOnError: false,
    logger: quietLogger(nest.ConsoleLogger),
  });
  try {
    app.get<unknown>(ISOLATED_WORKER, { strict: false });
    return app;
  } catch {
    await app.close();
    throw new WrongModuleError(
      `${module.name} of ${found} does not import TaskQueueModule.forRoot() of this package, so it has no tasks to run. ` +
        'isolation.app has to name the root module of the application.',
    );
  }
}

function linkModule(link: ParentLink): DynamicModule {
  class ParentLinkModule {}
  return {
    module: ParentLinkModule,
    global: true,
    providers: [{ provide: PARENT_LINK, useValue: link }],
    exports: [PARENT_LINK],
  };
}
