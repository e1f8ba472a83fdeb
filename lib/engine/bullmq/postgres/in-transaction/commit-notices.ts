import { randomBytes } from 'node:crypto';
import type { CommitNotice } from '../../job-transactions.js';
import type { MessageBus } from '../../message-bus.js';

/** The most transactions of this process whose end is not known. Those that were rolled back are never heard of. */
const MOST_OPEN = 10_000;

/**
 * Learns which transactions of the application have committed, in which this process has stored jobs. PostgreSQL delivers what a
 * transaction notifies once it has committed, and drops it after a rollback, also of a savepoint. So a notice costs the transaction
 * no statement. It contains a random number and nothing else, because every role of the database could listen.
 */
export class CommitNotices {
  private readonly channel = `commits_${randomBytes(15).toString('base64url')}`;
  private readonly open = new Map<string, () => void>();
  private listening: Promise<unknown> | undefined;

  constructor(private readonly bus: Pick<MessageBus, 'subscribe' | 'nameOf'>) {}

  /** @returns `undefined` when this process cannot listen just now */
  async create(): Promise<CommitNotice | undefined> {
    const channel = this.bus.nameOf?.(this.channel);
    if (channel === undefined) return undefined;
    try {
      await this.listen();
    } catch {
      return undefined;
    }
    const token = randomBytes(16).toString('base64url');
    let isCommitted = false;
    this.add(token, () => (isCommitted = true));
    return {
      ...{ channel, token },
      // The transaction may have committed before the library of the application gave the answer of the statement.
      onCommit: (listener) => (isCommitted ? listener() : this.add(token, listener)),
      cancel: () => void this.open.delete(token),
    };
  }

  private listen(): Promise<unknown> {
    this.listening ??= this.bus
      .subscribe(this.channel, (token) => {
        const listener = this.open.get(token);
        this.open.delete(token);
        listener?.();
      })
      .catch((error: unknown) => {
        this.listening = undefined;
        throw error;
      });
    return this.listening;
  }

  private add(token: string, listener: () => void): void {
    this.open.set(token, listener);
    const [oldest] = this.open.keys();
    if (this.open.size > MOST_OPEN && oldest !== undefined) this.open.delete(oldest);
  }
}
