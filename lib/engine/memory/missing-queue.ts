import { ConfigurationError } from '../../errors.js';

/**
 * Stands for BullMQ's queue, which this engine does not have. Nest creates every provider at boot and looks for its life
 * cycle hooks, so the error comes when the application uses the queue.
 */
export function missingQueue(name: string): object {
  return new Proxy(
    {},
    {
      get(_target, property) {
        if (typeof property === 'symbol' || UNUSED.has(property)) return undefined;
        throw new ConfigurationError(
          `The queue "${name}" is asked for "${property}", but the connection memory: has no BullMQ queues. ` +
            'Use a connection to Redis or PostgreSQL, or pglite:, where @InjectQueue() is needed.',
        );
      },
    },
  );
}

/** What Nest, promises and test runners look for in any object. */
const UNUSED: ReadonlySet<string> = new Set([
  'then',
  'constructor',
  'toJSON',
  'asymmetricMatch',
  'nodeType',
  '$$typeof',
  'onModuleInit',
  'onApplicationBootstrap',
  'onModuleDestroy',
  'beforeApplicationShutdown',
  'onApplicationShutdown',
]);
