import { ConfigurationError } from '../../errors.js';
import { standIn } from '../stand-in.js';

/** Stands for BullMQ's queue, which this engine does not have. The error comes when the application uses the queue. */
export function missingQueue(name: string): object {
  return standIn((property) => {
    throw new ConfigurationError(
      `The queue "${name}" is asked for "${property}", but the connection memory: has no BullMQ queues. ` +
        'Use a connection to Redis or PostgreSQL, or pglite:, where @InjectQueue() is needed.',
    );
  });
}
