import { TaskQueueError, EngineUnavailableError } from '../../errors.js';
import type { ChangeListener, WatchOptions } from '../../engine/ports/query-port.js';
import type { TransactionAdapter } from '../../engine/ports/transaction-port.js';
import type { ParentLink } from '../isolated-process.js';
import type { Answer, PortCall, SentAdapter, Statement, ToChild } from '../messages.js';
import { fromSentError, toSentError } from '../sent-error.js';

interface OpenCall {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Calls the ports of the parent process, and answers the parent's statements in transactions of this process. */
export class ParentConnection {
  /** The dialects of the transactions in which the parent's engine can store calls. */
  dialects: readonly string[] = [];
  /** Milliseconds by which the clock of the store is ahead of that of this computer. */
  clockOffset: number;
  /** The number of the attempt that runs; `undefined` between two attempts. */
  run: number | undefined;
  private last = 0;
  private readonly calls = new Map<number, OpenCall>();
  private readonly watches = new Map<number, ChangeListener>();
  private readonly adapters = new Map<number, TransactionAdapter>();

  constructor(private readonly link: ParentLink) {
    this.clockOffset = link.clockOffset;
  }

  /** Takes the messages of the parent that this object understands. @returns whether it has taken the message */
  handle(message: ToChild): boolean {
    switch (message.type) {
      case 'answer':
        this.settle(message.call, message);
        return true;
      case 'changed':
        this.watches.get(message.watch)?.(message.record);
        return true;
      case 'statement':
        void this.runStatement(message);
        return true;
      default:
        return false;
    }
  }

  /**
   * Calls a method of a port in the parent.
   *
   * @throws what the method throws there; EngineUnavailableError when the arguments cannot be sent
   */
  call(port: PortCall['port'], method: string, args: readonly unknown[], run?: number): Promise<unknown> {
    const call = ++this.last;
    return new Promise((resolve, reject) => {
      this.calls.set(call, { resolve, reject });
      try {
        this.link.send({ type: 'call', call, port, method, args, ...(run !== undefined && { run }) });
      } catch (error) {
        this.calls.delete(call);
        reject(error instanceof TaskQueueError ? error : new EngineUnavailableError(String(error), { cause: error }));
      }
    });
  }

  /** @returns ends the watch */
  watch(id: string, listener: ChangeListener, options: WatchOptions): () => void {
    const watch = ++this.last;
    this.watches.set(watch, listener);
    this.link.send({ type: 'watch', watch, id, options });
    return () => {
      if (this.watches.delete(watch)) this.link.send({ type: 'unwatch', watch });
    };
  }

  /** Calls a method of the parent that runs statements in a transaction of this process. */
  async callIn<T>(transaction: TransactionAdapter, call: (sent: SentAdapter) => Promise<T>): Promise<T> {
    const adapter = ++this.last;
    this.adapters.set(adapter, transaction);
    try {
      return await call({ adapter, dialect: transaction.dialect });
    } finally {
      this.adapters.delete(adapter);
    }
  }

  private settle(call: number, { value, error }: Answer): void {
    const open = this.calls.get(call);
    this.calls.delete(call);
    if (error) open?.reject(fromSentError(error));
    else open?.resolve(value);
  }

  private async runStatement({ query, adapter, text, params }: Statement): Promise<void> {
    const transaction = this.adapters.get(adapter);
    try {
      if (!transaction) throw new Error('The call of the transaction has ended.');
      const value = await transaction.query(text, params);
      this.link.send({ type: 'rows', query, value });
    } catch (error) {
      this.link.send({ type: 'rows', query, error: toSentError(error) });
    }
  }
}
