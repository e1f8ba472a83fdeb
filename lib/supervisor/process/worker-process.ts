import type { INestApplicationContext } from '@nestjs/common';
import type { WorkerControl } from '../../workers/worker-process.js';
import { maskText } from '../../admin/mask-secrets.js';
import type { BootFailure, Job, Report, StopReason } from '../messages.js';
import { boot } from './boot.js';
import { WrongModuleError } from './load-module.js';
import { registryFigures } from './registry-figures.js';

/** Milliseconds between two signs of life. */
const STATUS_INTERVAL = 1_000;
/** The share of its tasks after which a process asks for its successor, which takes about a second to boot. */
const NEARLY_WORN = 0.8;

export interface WorkerProcessDeps {
  readonly send: (report: Report) => Promise<void>;
  readonly exit: (code: number) => void;
}

/** Runs the application in this process: boots it, reports on it, and stops it. */
export class WorkerProcess {
  private attempts = 0;
  private isNearlyWorn = false;
  private stopping: Promise<void> | undefined;
  private started: Promise<{ app: INestApplicationContext; control: WorkerControl }> | undefined;

  constructor(
    private readonly job: Job,
    private readonly deps: WorkerProcessDeps,
  ) {}

  async run(): Promise<void> {
    this.started = boot(this.job);
    try {
      const { control } = await this.started;
      const { place, grace, isExclusive } = control;
      control.onAttempt((attempts) => this.count(attempts));
      const took = Math.round(process.uptime() * 1_000);
      await this.deps.send({ type: 'ready', queues: control.queues(), place, grace, isExclusive, took });
      // Also without a task and without a connection the process goes on.
      setInterval(() => this.report(control), STATUS_INTERVAL);
    } catch (error) {
      await this.deps.send({ type: 'failed', reason: failureOf(error) });
      this.deps.exit(1);
    }
  }

  /**
   * Takes no more tasks, waits for the running ones, closes the application and exits. A later call may shorten the time. An
   * application that boots is stopped once it has booted, because it may have taken tasks already.
   *
   * @param grace milliseconds; `null`: as long as the tasks take; default: that of the application
   */
  async stop(why: StopReason, grace?: number | null): Promise<void> {
    // An application that does not boot ends this process by itself.
    const started = await this.started?.catch(() => undefined);
    if (!started) return;
    const { app, control } = started;
    const drained = control.stop(grace === null ? Infinity : grace);
    this.stopping ??= this.end(why, drained, app);
    await this.stopping;
  }

  /** Answers with the figures of the application. */
  async sendFigures(id: number): Promise<void> {
    const started = await this.started?.catch(() => undefined);
    const figures = started ? await registryFigures(started.app, this.job.file).catch(() => []) : [];
    await this.deps.send({ type: 'metrics', id, figures });
  }

  /** Answers whether this process takes tasks, and whether the engine answers it. */
  async sendHealth(id: number): Promise<void> {
    const problem = await this.problem();
    await this.deps.send({ type: 'health', id, ...(problem !== undefined && { problem }) });
  }

  private async problem(): Promise<string | undefined> {
    const started = await this.started?.catch(() => undefined);
    if (!started) return 'The application has not booted.';
    try {
      return await started.control.problem();
    } catch (error) {
      return maskText(error instanceof Error ? error.message : String(error));
    }
  }

  private async end(why: StopReason, drained: Promise<void>, app: INestApplicationContext): Promise<void> {
    await this.deps.send({ type: 'stopping', why });
    await drained;
    await this.deps.send({ type: 'drained', figures: await registryFigures(app, this.job.file).catch(() => []) });
    await app.close();
    this.deps.exit(0);
  }

  private count(attempts: number): void {
    this.attempts = attempts;
    const { maxTasks } = this.job;
    if (maxTasks === undefined || this.stopping) return;
    if (!this.isNearlyWorn && attempts >= maxTasks * NEARLY_WORN) {
      this.isNearlyWorn = true;
      void this.deps.send({ type: 'nearly-worn' });
    }
    if (attempts >= maxTasks) void this.stop('tasks', null);
  }

  private report(control: WorkerControl): void {
    const memory = process.memoryUsage.rss();
    void this.deps.send({ type: 'status', attempts: this.attempts, running: control.running(), memory });
  }
}

function failureOf(error: unknown): BootFailure {
  const { message, stack, code } = (error instanceof Error ? error : new Error(String(error))) as NodeJS.ErrnoException;
  const isLasting = error instanceof WrongModuleError || code === 'CONFIGURATION';
  return {
    message: maskText(message),
    stack: isLasting || stack === undefined ? undefined : maskText(stack),
    isLasting,
  };
}
