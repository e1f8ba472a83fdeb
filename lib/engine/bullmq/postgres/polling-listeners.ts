import { EventEmitter } from 'node:events';
import type { PgPool, PgPoolClient, PgQueryResult } from 'bullmq';

/** Milliseconds between two polls. */
const INTERVAL = 250;

/** BullMQ's channel for new jobs. The payload is the name of the queue. */
const CHANNEL = 'bullmq_jobs';

/** Selects the queues in which a job waits, or in which a delayed job is due. */
const WAITING_QUEUES = `
SELECT name FROM unnest($1::text[]) AS queues(name)
 WHERE NOT EXISTS (SELECT 1 FROM meta WHERE meta.queue = queues.name AND field = 'paused' AND value = '1')
   AND (EXISTS (SELECT 1 FROM job WHERE job.queue = queues.name AND state = 'waiting')
     OR EXISTS (SELECT 1 FROM job WHERE job.queue = queues.name AND state = 'delayed'
                   AND process_at_ms <= extract(epoch FROM clock_timestamp()) * 1000))`;

/** Matches the statements of BullMQ and of this package after which a job may wait that did not wait before. */
const STORING =
  /\b(?:add_|move_to_(?:completed|failed)|retry_job|reprocess_job|promote|change_delay)|_add_plain_jobs_|'bullmq_jobs'/;

/**
 * Stands in for the connections that listen where LISTEN does not work. One query for all workers of the process finds
 * the queues in which jobs wait. Other notifications are never delivered.
 */
export class PollingListeners {
  private readonly clients = new Set<PollingClient>();
  private timer: NodeJS.Timeout | undefined;
  private polling = false;
  /** A statement ran while a poll was under way, which may have missed its job. */
  private pollAgain = false;

  constructor(
    private readonly pool: PgPool,
    private readonly queues: () => Iterable<string>,
  ) {}

  /** A client on which LISTEN does nothing. */
  open(): PgPoolClient {
    const client = new PollingClient(() => this.forget(client));
    this.clients.add(client);
    this.timer ??= setInterval(() => void this.poll(), INTERVAL).unref();
    return client;
  }

  /** Polls at once when this process has just run a statement that stores a job. */
  statementRan(text: string): void {
    if (this.clients.size > 0 && STORING.test(text)) void this.poll();
  }

  close(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.clients.clear();
  }

  private forget(client: PollingClient): void {
    this.clients.delete(client);
    if (this.clients.size === 0) this.close();
  }

  private async poll(): Promise<void> {
    this.pollAgain = this.polling;
    const queues = [...this.queues()];
    if (this.polling || queues.length === 0 || this.waiting().length === 0) return;
    this.polling = true;
    try {
      const { rows } = await this.pool.query<{ name: string }>(WAITING_QUEUES, [queues]);
      for (const client of this.waiting()) {
        for (const { name } of rows) client.emit('notification', { channel: CHANNEL, payload: name });
      }
    } catch {
      // The store cannot be reached: the next poll asks again.
    } finally {
      this.polling = false;
      if (this.pollAgain) void this.poll();
    }
  }

  /** A worker has a listener only while it waits for a job. */
  private waiting(): PollingClient[] {
    return [...this.clients].filter((client) => client.listenerCount('notification') > 0);
  }
}

class PollingClient extends EventEmitter implements PgPoolClient {
  constructor(readonly release: () => void) {
    super();
  }

  /** BullMQ and the message bus send nothing but LISTEN and UNLISTEN on such a client. */
  async query<R>(): Promise<PgQueryResult<R>> {
    return { rows: [], rowCount: null };
  }
}
