import type { Queue } from 'bullmq';
import type { WorkerRecord } from '../ports/worker-registry.js';

/**
 * Makes `queue.getWorkers()` list the workers of the queue on PostgreSQL and the embedded engine. By itself, BullMQ reads the
 * names of the connections to the server, but one connection serves all workers of a process here, it may belong to the
 * application, and a pooler gives it to others.
 *
 * @param workers gives the workers of the queue that run now
 */
export function patchClientList(queue: Queue, workers: () => Promise<readonly WorkerRecord[]>): Queue {
  const backend = queue.getBackend();
  // BullMQ reads `name=value` pairs, a line for each connection, as Redis writes them.
  backend.getClientList = async () => [
    (await workers())
      .map(({ id, host, pid }) => `id=${pid} addr=${host} name=${backend.clientName()}:w:${id}`)
      .join('\n'),
  ];
  return queue;
}
