import type { Engine } from './engine/engine.js';
import type { ResolvedOptions } from './task-queue-options.js';
import type { EngineHooks } from './testing-slot.module.js';

/**
 * Makes the engine that the options ask for. It loads only the code of that engine, and connects later, in `start()`.
 *
 * @param hooks of the testing kit; only the memory engine calls them
 * @throws ConfigurationError when the package of a driver is not installed, with the command that installs it
 */
export async function createEngine(options: ResolvedOptions, hooks?: EngineHooks): Promise<Engine> {
  const {
    connection,
    prefix,
    retention,
    queues,
    logLines,
    keepStatistics,
    enqueueTimeout,
    abandonedAfter,
    mayMigrate,
  } = options;
  if (connection.kind === 'memory') {
    const { MemoryEngine } = await import('./engine/memory/memory-engine.js');
    return new MemoryEngine({
      name: connection.name && `${connection.name} ${prefix}`,
      retention,
      logLines,
      keepStatistics,
      ...hooks,
    });
  }
  const { createBullMQEngine } = await import('./engine/bullmq/create-engine.js');
  return createBullMQEngine({
    connection,
    prefix,
    mayMigrate,
    retention,
    timeout: enqueueTimeout,
    abandonedAfter,
    logLines,
    keepStatistics,
    hasPriorities: (queue) => queues.get(queue)?.priorities ?? false,
  });
}
