import type { ForkOptions } from 'node:child_process';
import type { ApplicationFile } from './application-file.js';
import { ChildProcess, type ChildListener } from './child-process.js';
import type { BootFailure, Job } from './messages.js';
import { Place } from './place.js';
import type { SupervisorSettings } from './settings.js';
import type { SummedFigures } from './summed-figures.js';
import type { SupervisorLog } from './supervisor-log.js';

/** How often each place tries to start a process before the supervisor gives up, when none of them comes up. */
const BOOT_ATTEMPTS = 5;

/** Milliseconds that processes have to give back their tasks when they have to end at once. */
const AT_ONCE = 1_000;

export interface SupervisorDeps {
  readonly application: ApplicationFile;
  readonly settings: SupervisorSettings;
  readonly log: SupervisorLog;
  readonly forkOptions: ForkOptions;
  readonly figures: Pick<SummedFigures, 'keep'>;
  /** Starts a process. A test has others. */
  readonly start?: (job: Job, options: ForkOptions, listener: ChildListener) => ChildProcess;
}

/** Keeps the processes of an application running until it is stopped. */
export class Supervisor {
  private readonly places: Place[];
  private attemptsOfGone = 0;
  private restarts = 0;
  private isStopping = false;
  private rolling: Promise<void> = Promise.resolve();
  private end: (failure: BootFailure | undefined) => void = () => undefined;
  private readonly ended = new Promise<BootFailure | undefined>((resolve) => (this.end = resolve));

  constructor(private readonly deps: SupervisorDeps) {
    const { settings, log } = deps;
    this.places = Array.from(
      { length: settings.processes },
      () =>
        new Place({
          start: (listener) => this.launch(listener),
          log,
          maxMemory: settings.maxMemory,
          givesUp: (failure) => this.givesUp(failure),
          onGone: ({ status, lastFigures }) => {
            deps.figures.keep(lastFigures);
            this.attemptsOfGone += status.attempts;
            this.restarts += 1;
          },
        }),
    );
  }

  /** Runs until the supervisor is stopped. @returns the reason when it gave up */
  run(): Promise<BootFailure | undefined> {
    for (const place of this.places) place.start();
    return this.ended;
  }

  /** Why not every place has a process that takes tasks and that the engine answers; empty when all of them have. */
  async problems(): Promise<string[]> {
    if (this.isStopping) return ['The command stops.'];
    const problems = await Promise.all(this.places.map((place) => place.problem()));
    return problems.filter((problem) => problem !== undefined);
  }

  /** All processes, also those that boot or end. */
  get processes(): ChildProcess[] {
    return this.places.flatMap(({ processes }) => processes);
  }

  /** Attempts of tasks, and processes that have ended, since the supervisor started. */
  get totals(): { readonly attempts: number; readonly ended: number } {
    const running = this.processes.reduce((sum, { status }) => sum + status.attempts, 0);
    return { attempts: this.attemptsOfGone + running, ended: this.restarts };
  }

  /** Replaces one process after the other. A call while another one is under way begins again after that one. */
  restartAll(): Promise<void> {
    this.rolling = this.rolling.then(() => this.roll());
    return this.rolling;
  }

  /** Stops all processes. Their tasks have the grace to end. */
  async stop(): Promise<void> {
    this.isStopping = true;
    await Promise.all(this.places.map((place) => place.stop()));
    this.end(undefined);
  }

  /** Ends all processes at once: tasks that run are given back, and what does not end in a second is killed. */
  stopAtOnce(): void {
    for (const process of this.processes) process.stop(0);
    setTimeout(() => this.kill(), AT_ONCE).unref();
  }

  kill(): void {
    for (const place of this.places) place.kill();
  }

  private async roll(): Promise<void> {
    for (const place of this.places) {
      if (this.isStopping) return;
      // Code that does not boot in one place boots in none.
      if (!(await place.replace('restart', this.deps.settings.grace))) return;
    }
    if (!this.isStopping) this.deps.log.line('All processes are new.');
  }

  private givesUp(failure: BootFailure): boolean {
    if (this.isStopping || this.places.some(({ isReady }) => isReady)) return false;
    if (!failure.isLasting && this.places.some(({ failedBoots }) => failedBoots < BOOT_ATTEMPTS)) return false;
    this.isStopping = true;
    void Promise.all(this.places.map((place) => place.stop(0))).then(() => this.end(failure));
    return true;
  }

  private launch(listener: ChildListener): ChildProcess {
    const { application, settings, forkOptions } = this.deps;
    const { queues, queuesFrom, concurrency, grace, processes, maxTasks } = settings;
    const job: Job = {
      file: application.file,
      exportName: application.exportName,
      settings: { queues, queuesFrom, concurrency, grace, processes },
      maxTasks,
      supervisor: process.pid,
    };
    const start = this.deps.start ?? ((...args) => new ChildProcess(...args));
    return start(job, forkOptions, listener);
  }
}
