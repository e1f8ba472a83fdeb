import type { Engine } from '../engine/engine.js';
import type { Json } from '../engine/json.js';
import type { LogLevel } from '../engine/log-line.js';
import type { TransactionAdapter } from '../engine/ports/transaction-port.js';
import type { Delivery } from '../engine/ports/worker-port.js';
import { WorkerLostError } from '../errors.js';
import type { ChildWait, ChildWaits } from './child-waits.js';
import type { FromChild, PortCall, SentAdapter, ToChild } from './messages.js';
import { toSentAnswer } from './sent-answers.js';
import { fromSentError, toSentError } from './sent-error.js';
import { DELIVERY_METHODS, SERVED_PORTS, TRANSACTION_METHODS } from './served-ports.js';

export interface ChildServerDeps {
  readonly engine: Engine;
  readonly send: (message: ToChild) => void;
  readonly waits: Pick<ChildWaits, 'begin'>;
}

type Methods = Readonly<Record<string, ((...args: readonly unknown[]) => unknown) | undefined>>;

/** Does what a child process asks for, with the ports of this process. */
export class ChildServer {
  /** The attempt that the child runs. */
  private current: { readonly run: number; readonly delivery: Delivery } | undefined;
  private readonly watches = new Map<number, () => void>();
  /** What the attempt waits for. */
  private readonly waits = new Map<number, Promise<ChildWait>>();
  private readonly statements = new Map<number, { resolve(rows: unknown): void; reject(error: Error): void }>();
  private lastStatement = 0;

  constructor(private readonly deps: ChildServerDeps) {}

  begin(run: number, delivery: Delivery): void {
    this.current = { run, delivery };
  }

  /** What the child asks for an attempt that has ended is refused from here on. */
  end(): void {
    this.current = undefined;
    for (const wait of this.waits.keys()) this.endWait(wait);
  }

  /** @returns whether the message was a request */
  handle(message: FromChild): boolean {
    switch (message.type) {
      case 'call':
        void this.answer(message);
        return true;
      case 'watch': {
        const { watch, id, options } = message;
        const listener = (record?: unknown) =>
          this.deps.send({ type: 'changed', watch, ...(record !== undefined && { record: record as never }) });
        this.watches.set(watch, this.deps.engine.watch(id, listener, options));
        return true;
      }
      case 'unwatch':
        this.watches.get(message.watch)?.();
        this.watches.delete(message.watch);
        return true;
      case 'rows': {
        const open = this.statements.get(message.query);
        this.statements.delete(message.query);
        if (message.error) open?.reject(fromSentError(message.error));
        else open?.resolve(message.value);
        return true;
      }
      default:
        return false;
    }
  }

  /** The child has ended. */
  close(): void {
    this.end();
    for (const stop of this.watches.values()) stop();
    this.watches.clear();
    const gone = new WorkerLostError('The child process whose transaction it was has ended.');
    for (const { reject } of this.statements.values()) reject(gone);
    this.statements.clear();
  }

  private async answer({ call, port, method, args, run }: PortCall): Promise<void> {
    const { send } = this.deps;
    try {
      const value = await this.perform({ call, port, method, args, run });
      send({ type: 'answer', call, value });
    } catch (error) {
      send({ type: 'answer', call, error: toSentError(error) });
    }
  }

  private async perform({ port, method, args, run }: PortCall): Promise<unknown> {
    if (port === 'delivery') return this.performOfDelivery(method, args, run);
    if (port === 'transaction') return this.performInTransaction(method, args);
    if (!(SERVED_PORTS[port] as readonly string[]).includes(method))
      throw new Error(`No child calls ${port}.${method}.`);
    const { engine } = this.deps;
    const target = (port === 'engine' ? engine : engine[port]) as unknown as Methods;
    return toSentAnswer(port, method, await target[method]?.(...args));
  }

  private async performOfDelivery(method: string, args: readonly unknown[], run: number | undefined): Promise<unknown> {
    // A method may leave work behind, which reports after the end of its attempt.
    if (!this.current || this.current.run !== run) return undefined;
    const { delivery } = this.current;
    const [first, second] = args;
    switch (method as (typeof DELIVERY_METHODS)[number]) {
      case 'progress':
        return delivery.progress(first as Json);
      case 'log':
        return delivery.log(first as string, second as LogLevel);
      case 'completeIn':
        return delivery.completion?.completeIn(this.adapterOf(first as SentAdapter), second as Json | undefined);
      case 'beginWait': {
        const begun = this.deps.waits.begin(delivery, second as string);
        this.waits.set(first as number, begun);
        await begun;
        return undefined;
      }
      case 'failureOfWait':
        return (await this.waits.get(first as number))?.failure;
      case 'endWait':
        return this.endWait(first as number);
    }
  }

  private endWait(wait: number): void {
    this.waits.get(wait)?.then((begun) => begun.end(), ignore);
    this.waits.delete(wait);
  }

  private async performInTransaction(method: string, [sent, ...args]: readonly unknown[]): Promise<unknown> {
    if (!(TRANSACTION_METHODS as readonly string[]).includes(method)) throw new Error(`No child calls ${method}.`);
    const port = this.deps.engine.enqueueIn(this.adapterOf(sent as SentAdapter)) as unknown as Methods | undefined;
    return port?.[method]?.(...args);
  }

  /** A transaction of the child: each statement is a message to it, and an answer. */
  private adapterOf({ adapter, dialect }: SentAdapter): TransactionAdapter {
    return {
      dialect: dialect as TransactionAdapter['dialect'],
      query: (text, params) =>
        new Promise((resolve, reject) => {
          const query = ++this.lastStatement;
          this.statements.set(query, { resolve: (rows) => resolve(rows as never), reject });
          this.deps.send({ type: 'statement', query, adapter, text, params });
        }),
    };
  }
}

function ignore(): void {}
