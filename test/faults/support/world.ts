import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TaskQueueOptions, TaskStatus } from 'nestjs-task-queue';
import { freePrefix, startPostgres, startRedis } from '../../support/servers.js';
import { startProxy, type TcpProxy } from '../../support/tcp-proxy.js';
import { until } from '../../support/until.js';
import { type EarlierVersion, mainFileOf } from './earlier-version.js';
import type { JournalEvent } from './journal.js';
import { TestProcess } from './test-process.js';

export type EngineName = 'redis' | 'postgres';
export type Server = Awaited<ReturnType<typeof startRedis>>;

/** The numbers of tasks in the table of docs/faults.md. */
export interface Counts {
  enqueued: number;
  /** Tasks that could not be enqueued. */
  refused: number;
  started: number;
  finished: number;
  /** Tasks that the scenario makes fail. */
  failed: number;
  /** Tasks that were enqueued and never finished. */
  lost: number;
  /** Tasks that finished more than once. */
  duplicated: number;
  /** Tasks that ran although enqueueing them failed. */
  unexpected: number;
}

/** A line of the journal. */
export interface Entry {
  readonly event: JournalEvent;
  readonly id: string;
  readonly pid: number;
  readonly detail: string;
}

interface StartOptions {
  /** The process has decorated schedules. */
  readonly scheduled?: boolean;
  /** The process has a task with batches. */
  readonly batched?: boolean;
  /** The process has the same task without batches. */
  readonly single?: boolean;
  /** The process serves `/tasks/:id`. */
  readonly http?: boolean;
  /** Milliseconds by which the clock of the process is ahead of that of this host; negative when it is behind. */
  readonly clockAhead?: number;
  /** The process kills itself before this command of those that concern a tick of the schedule `made`. */
  readonly killBeforeTick?: number;
  /** The process kills itself before this command of those that name a task whose method has finished there. */
  readonly killBeforeEnd?: number;
  /** The version of this package that the process uses. Default: the source in `lib`. */
  readonly version?: EarlierVersion;
}

/** Milliseconds that a scenario waits for a condition by default. */
const PATIENCE = 30_000;

/** One server, the processes of one application that use it, and the counts of their tasks. */
export class World {
  readonly enqueued: string[] = [];
  readonly failedOnPurpose: string[] = [];
  refused = 0;
  /** A proxy to the server, for scenarios that break the connection. */
  readonly proxy: Promise<TcpProxy>;
  private readonly folder = mkdtempSync(join(tmpdir(), 'faults-'));
  private readonly journal = join(this.folder, 'journal');
  private readonly processes: TestProcess[] = [];
  private replica: Server | undefined;
  /** The option `prefix` of every process: the schema on PostgreSQL. */
  readonly prefix = freePrefix();

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

  /** Starts a replica of the server. */
  async startReplica(): Promise<Server> {
    const start = this.engine === 'redis' ? startRedis : startPostgres;
    this.replica = await start({ durable: true, replicaOf: this.server });
    return this.replica;
  }

  /** The server's URL through the proxy. */
  async proxied(): Promise<string> {
    const url = new URL(this.server.url);
    url.port = `${(await this.proxy).port}`;
    return url.href;
  }

  /** Starts a process. Its times are short, so that a process counts as dead after seconds and not after a minute. */
  async start(
    options: TaskQueueOptions = {},
    {
      scheduled = false,
      batched = false,
      single = false,
      http = false,
      clockAhead,
      killBeforeTick,
      killBeforeEnd,
      version,
    }: StartOptions = {},
  ): Promise<TestProcess> {
    const process = await TestProcess.start(
      {
        connection: this.server.url,
        prefix: this.prefix,
        abandonedAfter: '2s',
        enqueueTimeout: '2s',
        shutdown: { grace: '1s' },
        ...options,
      },
      {
        JOURNAL: this.journal,
        ...(scheduled && { SCHEDULED: 'yes' }),
        ...(batched && { BATCHED: 'yes' }),
        ...(single && { SINGLE: 'yes' }),
        ...(http && { HTTP: 'yes' }),
        ...(clockAhead !== undefined && { CLOCK_AHEAD: `${clockAhead}` }),
        ...(killBeforeTick !== undefined && { KILL_BEFORE_TICK: `${killBeforeTick}` }),
        ...(killBeforeEnd !== undefined && { KILL_BEFORE_END: `${killBeforeEnd}` }),
        ...(version && { TASK_QUEUE_PACKAGE: mainFileOf(version) }),
      },
    );
    this.processes.push(process);
    return process;
  }

  /** Enqueues tasks in a process, and counts them. */
  async enqueue(process: TestProcess, task: string, args: unknown[], times = 1): Promise<string[]> {
    const answers = await Promise.all(Array.from({ length: times }, () => process.ask.enqueue(task, args)));
    const ids = answers.flatMap(({ id }) => id ?? []);
    this.enqueued.push(...ids);
    this.refused += answers.length - ids.length;
    return ids;
  }

  /** Enqueues tasks with one message to the process, and counts them. */
  async enqueueMany(process: TestProcess, task: string, args: unknown[], times: number): Promise<string[]> {
    const ids = await process.ask.enqueueMany(task, args, times);
    for (const id of ids) this.enqueued.push(id);
    this.refused += times - ids.length;
    return ids;
  }

  /** Kills a process. The line comes before: no other process takes over its runs so soon. */
  async killInJournal(process: TestProcess): Promise<void> {
    appendFileSync(this.journal, `killed - ${process.pid} \n`);
    await process.kill();
  }

  /** The lines of the journal, in the order in which the processes wrote them. */
  entries(): Entry[] {
    return readFileSync(this.journal, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split(' '))
      .map(([event, id = '', pid, detail = '']) => ({ event: event as JournalEvent, id, pid: Number(pid), detail }));
  }

  /** The lines with one event, of one task or of all. */
  recorded(event: JournalEvent, id?: string): Entry[] {
    return this.entries().filter((entry) => entry.event === event && (id === undefined || entry.id === id));
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
      () => ids.every((id) => this.recorded('started', id).length >= times),
      `${ids.length} tasks have started ${times} times`,
    );
  }

  async finished(ids: readonly string[] = this.enqueued): Promise<void> {
    const finished = () => new Set(this.recorded('finished').map(({ id }) => id));
    await this.until(
      () => {
        const all = finished();
        return ids.every((id) => all.has(id));
      },
      () => `${ids.length} tasks have finished (${finished().size} have)`,
    );
  }

  /** The statuses of tasks, as a process reads them. */
  async states(process: TestProcess, ids: readonly string[]): Promise<TaskStatus[]> {
    return Promise.all(ids.map((id) => process.ask.status(id)));
  }

  /** Waits until all tasks are final, and returns their statuses. */
  async finalStates(process: TestProcess, ids: readonly string[] = this.enqueued): Promise<TaskStatus[]> {
    for (const id of ids) await process.ask.result(id, PATIENCE);
    return this.states(process, ids);
  }

  counts(): Counts {
    const finished = this.recorded('finished').map(({ id }) => id);
    const once = new Set(finished);
    const enqueued = new Set(this.enqueued);
    return {
      enqueued: this.enqueued.length,
      refused: this.refused,
      started: this.recorded('started').length,
      finished: once.size,
      failed: this.failedOnPurpose.length,
      lost: this.enqueued.filter((id) => !once.has(id) && !this.failedOnPurpose.includes(id)).length,
      duplicated: finished.length - once.size,
      unexpected: new Set(
        this.recorded('started')
          .filter(({ id }) => !enqueued.has(id))
          .map(({ id }) => id),
      ).size,
    };
  }

  /** The error, with the logs of the processes in its message. */
  explain(error: unknown): Error {
    const logs = this.processes.map(({ pid, log }) => `The log of process ${pid}:\n${log.join('\n')}`);
    return new Error(`${(error as Error).message}\n\n${logs.join('\n\n')}`, { cause: error });
  }

  async close(): Promise<void> {
    await Promise.all(this.processes.map((process) => process.kill()));
    await (await this.proxy).close();
    await Promise.all([this.server.close(), this.replica?.close()]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
