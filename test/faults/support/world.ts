import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TaskQueueOptions, TaskStatus } from '../../../lib/index.js';
import { freePrefix, startPostgres, startRedis } from '../../support/servers.js';
import { startProxy, type TcpProxy } from '../../support/tcp-proxy.js';
import { until } from '../../support/until.js';
import type { Happening } from './journal.js';
import { TestProcess } from './test-process.js';

export type EngineName = 'redis' | 'postgres';
export type Server = Awaited<ReturnType<typeof startRedis>>;

/** What is counted: `lost` never finished although enqueueing it succeeded, `duplicated` finished more than once. */
export interface Counts {
  enqueued: number;
  refused: number;
  started: number;
  finished: number;
  failed: number;
  lost: number;
  duplicated: number;
  /** Ran although enqueueing them failed. */
  unexpected: number;
}

/** Something that a process wrote down. */
export interface Entry {
  readonly what: Happening;
  readonly id: string;
  readonly pid: number;
  readonly more: string;
}

/** How long something may take that happens by itself. */
const PATIENCE = 30_000;

/** A server, processes of one application on it, and the book that is kept of their tasks. */
export class World {
  readonly enqueued: string[] = [];
  readonly failedOnPurpose: string[] = [];
  refused = 0;
  /** Between the processes and the server, for scenarios that break the connection. */
  readonly proxy: Promise<TcpProxy>;
  private readonly folder = mkdtempSync(join(tmpdir(), 'faults-'));
  private readonly journal = join(this.folder, 'journal');
  private readonly processes: TestProcess[] = [];
  private readonly prefix = freePrefix();

  private constructor(
    readonly engine: EngineName,
    readonly server: Server,
  ) {
    writeFileSync(this.journal, '');
    this.proxy = startProxy(server.port);
  }

  static async open(engine: EngineName, options: { durable?: boolean } = {}): Promise<World> {
    return new World(engine, await (engine === 'redis' ? startRedis(options) : startPostgres(options)));
  }

  /** The server's URL through the proxy. */
  async proxied(): Promise<string> {
    const url = new URL(this.server.url);
    url.port = `${(await this.proxy).port}`;
    return url.href;
  }

  /** Starts a process. Times are short, so that what takes a minute in production takes seconds. */
  async start(options: TaskQueueOptions = {}, { scheduled = false } = {}): Promise<TestProcess> {
    const process = await TestProcess.start(
      {
        connection: this.server.url,
        prefix: this.prefix,
        abandonedAfter: '2s',
        enqueueTimeout: '2s',
        shutdown: { grace: '1s' },
        ...options,
      },
      { JOURNAL: this.journal, ...(scheduled && { SCHEDULED: 'yes' }) },
    );
    this.processes.push(process);
    return process;
  }

  /** Enqueues through a process and keeps book of it. */
  async enqueue(process: TestProcess, task: string, args: unknown[], times = 1): Promise<string[]> {
    const answers = await Promise.all(Array.from({ length: times }, () => process.ask.enqueue(task, args)));
    const ids = answers.flatMap(({ id }) => id ?? []);
    this.enqueued.push(...ids);
    this.refused += answers.length - ids.length;
    return ids;
  }

  /** The same in one call of the process. */
  async enqueueMany(process: TestProcess, task: string, args: unknown[], times: number): Promise<string[]> {
    const ids = await process.ask.enqueueMany(task, args, times);
    for (const id of ids) this.enqueued.push(id);
    this.refused += times - ids.length;
    return ids;
  }

  /** What the processes wrote down, in that order. */
  entries(): Entry[] {
    return readFileSync(this.journal, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split(' '))
      .map(([what, id = '', pid, more = '']) => ({ what: what as Happening, id, pid: Number(pid), more }));
  }

  /** Of one kind: how often, and by which of them. */
  noted(what: Happening, id?: string): Entry[] {
    return this.entries().filter((entry) => entry.what === what && (id === undefined || entry.id === id));
  }

  /** Like `until`, but waits up to 30 s by default: several scenarios start and kill processes at the same time. */
  async until(
    condition: () => boolean | Promise<boolean>,
    what: string | (() => string),
    patience = PATIENCE,
  ): Promise<void> {
    await until(condition, what, patience);
  }

  async started(ids: readonly string[], times = 1): Promise<void> {
    await this.until(
      () => ids.every((id) => this.noted('started', id).length >= times),
      `${ids.length} tasks start ${times} times`,
    );
  }

  async finished(ids: readonly string[] = this.enqueued): Promise<void> {
    const finished = () => new Set(this.noted('finished').map(({ id }) => id));
    await this.until(
      () => {
        const all = finished();
        return ids.every((id) => all.has(id));
      },
      () => `${ids.length} tasks finish (${finished().size} did)`,
    );
  }

  /** The tasks' states, as somebody sees them who asks. */
  async states(process: TestProcess, ids: readonly string[]): Promise<TaskStatus[]> {
    return Promise.all(ids.map((id) => process.ask.status(id)));
  }

  /** Waits until all tasks are final, and returns their statuses. */
  async finalStates(process: TestProcess, ids: readonly string[] = this.enqueued): Promise<TaskStatus[]> {
    for (const id of ids) await process.ask.result(id, PATIENCE);
    return this.states(process, ids);
  }

  counts(): Counts {
    const finished = this.noted('finished').map(({ id }) => id);
    const once = new Set(finished);
    const enqueued = new Set(this.enqueued);
    return {
      enqueued: this.enqueued.length,
      refused: this.refused,
      started: this.noted('started').length,
      finished: once.size,
      failed: this.failedOnPurpose.length,
      lost: this.enqueued.filter((id) => !once.has(id) && !this.failedOnPurpose.includes(id)).length,
      duplicated: finished.length - once.size,
      unexpected: new Set(
        this.noted('started')
          .filter(({ id }) => !enqueued.has(id))
          .map(({ id }) => id),
      ).size,
    };
  }

  /** What went wrong, with what the processes logged. */
  explain(error: unknown): Error {
    const logs = this.processes.map(({ pid, log }) => `The log of process ${pid}:\n${log.join('\n')}`);
    return new Error(`${(error as Error).message}\n\n${logs.join('\n\n')}`, { cause: error });
  }

  async close(): Promise<void> {
    await Promise.all(this.processes.map((process) => process.kill()));
    await (await this.proxy).close();
    await this.server.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
