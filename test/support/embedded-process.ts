/**
 * A process of its own on an embedded database: `<folder> hold` opens it and waits; `<folder> enqueue` adds jobs first.
 * It sends its parent one message, `open` or what went wrong, and lives until it is killed or its parent is gone.
 */
import { openEmbeddedDatabase } from '../../lib/engine/bullmq/embedded/embedded-database.js';
import { bullmqOn } from './bullmq-on.js';

const [folder = '', action] = process.argv.slice(2);
try {
  const { pool } = await openEmbeddedDatabase({ folder, schema: 'tasks', logger: console });
  if (action === 'enqueue') {
    const { Queue } = bullmqOn(pool);
    const queue = new Queue('default', { connection: pool });
    for (let number = 0; number < 20; number++) await queue.add('count', { number });
  }
  process.send!('open');
} catch (error) {
  process.send!(String(error));
}
process.once('disconnect', () => process.exit());
