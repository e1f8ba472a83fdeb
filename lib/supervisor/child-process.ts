import { fork, type ChildProcess as NodeProcess, type ForkOptions } from 'node:child_process';
import type { Application, BootFailure, Job, MetricFigures, Order, Report, Status, StopReason } from './messages.js';
import { readMessage, toMessage } from '../process-message.js';
import { processFile } from './process-file.cjs';

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why its application did not boot. */
  readonly failure: BootFailure | undefined;
}

/** What a process reports, in the order in which it can happen. */
export interface ChildListener {
  onReady(application: Application): void;
  onStatus(status: Status): void;
  onNearlyWorn(): void;
  onStopping(why: StopReason): void;
  onExit(exit: Exit): void;
}

/** Milliseconds that an application has to close once its tasks have ended. */
const CLOSE_LIMIT = 10_000;
/** Milliseconds beyond the grace: to abort the tasks, to store their ends, and to boot first. */
const STOP_LIMIT = 15_000;
/** Milliseconds that a process has for its metrics. A process that computes does not answer. */
const METRICS_LIMIT = 2_000;
/** Milliseconds that a process has to say how it is: longer than it waits for the engine. */
const HEALTH_LIMIT = 3_000;

/** What a process answers to a question. */
type Answer = Extract<Report, { readonly type: 'metrics' | 'health' }>;

/** One process that runs the application. */
export class ChildProcess {
  readonly startedAt = performance.now();
  application: Application | undefined;
  status: Status = { attempts: 0, running: 0, memory: 0 };
  isStopping = false;
  /** Settled once the process is gone. */
  readonly gone: Promise<void>;
  private readonly process: NodeProcess;
  private failure: BootFailure | undefined;
  private killTimer: NodeJS.Timeout | undefined;
  private lastQuestion = 0;
  private readonly questions = new Map<number, (answer: Answer | undefined) => void>();
  private health: Promise<string | undefined> | undefined;
  /** What the process reported last of prom-client. */
  lastFigures: readonly MetricFigures[] = [];

  constructor(
    job: Job,
    options: ForkOptions,
    private readonly listener: ChildListener,
  ) {
    this.process = fork(processFile, [], options);
    this.process.on('message', (received: unknown) => {
      const report = readMessage<Report>(received);
      if (report) this.handle(report);
    });
    this.gone = this.endOf(this.process).then(({ code, signal }) => {
      clearTimeout(this.killTimer);
      for (const answer of this.questions.values()) answer(undefined);
      listener.onExit({ code, signal, failure: this.failure });
    });
    this.send({ type: 'run', job });
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  get isReady(): boolean {
    return this.application !== undefined && !this.isStopping;
  }

  /**
   * Asks the process to take no more tasks and to end.
   *
   * @param grace milliseconds for the running tasks; `null`: as long as they take; default: that of the application
   */
  stop(grace?: number | null): void {
    this.isStopping = true;
    this.send({ type: 'stop', ...(grace !== undefined && { grace }) });
    if (grace !== null) this.killAfter((grace ?? this.application?.grace ?? 30_000) + STOP_LIMIT);
  }

  /** Ends the process at once. Its tasks run again elsewhere, once its locks are over. */
  kill(): void {
    this.process.kill('SIGKILL');
  }

  /** The figures of the application's prom-client; those that it had last when the process does not answer. */
  async figures(): Promise<readonly MetricFigures[]> {
    if (!this.application) return [];
    const answer = await this.ask('metrics', METRICS_LIMIT);
    if (answer?.type === 'metrics' && answer.figures.length > 0) this.lastFigures = answer.figures;
    return this.lastFigures;
  }

  /**
   * Why the process does its work badly now; `undefined` when it takes tasks and the engine answers it. Probes that come at the same time
   * share one question.
   */
  problem(): Promise<string | undefined> {
    this.health ??= this.readProblem().finally(() => (this.health = undefined));
    return this.health;
  }

  private async readProblem(): Promise<string | undefined> {
    const answer = await this.ask('health', HEALTH_LIMIT);
    if (answer?.type === 'health') return answer.problem;
    return `It has not answered for ${HEALTH_LIMIT / 1_000} s: it computes, or is stopped.`;
  }

  /** Resolves to what the process answers; to `undefined` when it ends, or when the time is over. */
  private ask(type: Answer['type'], limit: number): Promise<Answer | undefined> {
    const id = ++this.lastQuestion;
    return new Promise((resolve) => {
      const answer = (given: Answer | undefined) => {
        clearTimeout(timer);
        this.questions.delete(id);
        resolve(given);
      };
      const timer = setTimeout(answer, limit, undefined);
      this.questions.set(id, answer);
      this.send({ type, id });
    });
  }

  /** Resolves once the process has ended and all that it has sent is read. */
  private endOf(process: NodeProcess): Promise<Pick<Exit, 'code' | 'signal'>> {
    const read = new Promise((resolve) => process.once('disconnect', resolve));
    return new Promise((resolve) => {
      process.once('exit', (code, signal) => void read.then(() => resolve({ code, signal })));
      process.on('error', ({ message }) => {
        // The operating system starts no process: there will be no exit.
        if (process.pid !== undefined) return;
        this.failure = { message: `The process cannot be started: ${message}`, stack: undefined, isLasting: false };
        resolve({ code: null, signal: null });
      });
    });
  }

  private killAfter(milliseconds: number): void {
    clearTimeout(this.killTimer);
    this.killTimer = setTimeout(() => this.kill(), Math.min(milliseconds, 2 ** 31 - 1));
  }

  /** A process that has just ended cannot be sent anything, and its end is reported anyway. */
  private send(order: Order): void {
    if (this.process.connected) this.process.send(toMessage(order), undefined, undefined, () => undefined);
  }

  private handle(report: Report): void {
    switch (report.type) {
      case 'ready':
        this.application = report;
        return this.listener.onReady(report);
      case 'failed':
        this.failure = report.reason;
        return;
      case 'status':
        this.status = report;
        return this.listener.onStatus(report);
      case 'nearly-worn':
        return this.listener.onNearlyWorn();
      case 'stopping':
        this.isStopping = true;
        return this.listener.onStopping(report.why);
      case 'drained':
        if (report.figures.length > 0) this.lastFigures = report.figures;
        return this.killAfter(CLOSE_LIMIT);
      case 'metrics':
      case 'health':
        return this.questions.get(report.id)?.(report);
    }
  }
}
