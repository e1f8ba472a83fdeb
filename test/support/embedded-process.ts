/**
 * A process that opens an embedded database: `<folder> hold` opens it and waits, `<folder> enqueue` also adds 20 jobs.
 * The process sends its parent one message, `open` or the error. It runs until it is killed or its parent has ended.
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
