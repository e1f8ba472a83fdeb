import type { LazyModuleLoader } from '@nestjs/core';

/**
 * Calls the listener after each module that the application loads later, before `load()` resolves. Nest calls no hook of
 * a module that is loaded later, and has no event for it.
 *
 * @param listener when it rejects, `load()` rejects
 */
export function afterEachLoad(loader: LazyModuleLoader, listener: () => Promise<void>): void {
  const load = loader.load.bind(loader);
  loader.load = async (...args) => {
    const moduleRef = await load(...args);
    await listener();
    return moduleRef;
  };
}
