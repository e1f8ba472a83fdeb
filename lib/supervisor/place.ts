import type { Application, BootFailure, StopReason } from './messages.js';
import type { ChildListener, ChildProcess, Exit } from './child-process.js';
import { RestartPauses } from './restart-pauses.js';

/** Why a process is replaced by another one. */
export type ReplaceReason = 'tasks' | 'memory' | 'restart';

export interface PlaceDeps {
  readonly start: (listener: ChildListener) => ChildProcess;
  readonly log: PlaceLog;
  /** Bytes of resident memory beyond which a process is replaced. */
  readonly maxMemory: number | undefined;
  /** Called when a process did not come up. @returns whether the supervisor gives up */
  readonly givesUp: (failure: BootFailure) => boolean;
  /** Adds the attempts of a process that has ended. */
  readonly onGone: (process: ChildProcess) => void;
}

/** What a place reports for people. */
export interface PlaceLog {
  ready(process: ChildProcess, application: Application): void;
  replaces(process: ChildProcess, reason: ReplaceReason): void;
  stops(process: ChildProcess, why: StopReason): void;
  ended(process: ChildProcess, exit: Exit, again: number | undefined): void;
  staysWithOld(failure: BootFailure | Exit): void;
}

/**
 * One of the places for processes: it keeps one process running, starts it again when it dies, and replaces it. The new process boots
 * before the old one stops, unless one process alone can open the store.
 */
export class Place {
  private current: ChildProcess | undefined;
  private next: ChildProcess | undefined;
  private readonly leaving = new Set<ChildProcess>();
  private readonly pauses = new RestartPauses();
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;
  private replacing: { readonly grace: number | null | undefined; readonly done: (isNew: boolean) => void } | undefined;
  private replaced: Promise<boolean> = Promise.resolve(true);

  constructor(private readonly deps: PlaceDeps) {}

  start(): void {
    this.current = this.launch();
  }

  /** Whether a process of this place takes tasks. */
  get isReady(): boolean {
    return this.current?.isReady ?? false;
  }

  /** Why no process of this place takes tasks; `undefined` when one does, and the engine answers it. */
  async problem(): Promise<string | undefined> {
    const { current } = this;
    if (!current?.isReady) return 'A process boots or stops.';
    const problem = await current.problem();
    return problem === undefined ? undefined : `Process ${current.pid}: ${problem}`;
  }

  get failedBoots(): number {
    return this.pauses.failedBoots;
  }

  /** All processes of this place, also those that are ending. */
  get processes(): ChildProcess[] {
    return [this.current, this.next, ...this.leaving].filter((process) => process !== undefined);
  }

  /**
   * Replaces the process by a new one.
   *
   * @param grace for the tasks of the old one, see `ChildProcess.stop()`
   * @returns whether the new one takes tasks now; the old one goes on otherwise, if it can
   */
  replace(reason: ReplaceReason, grace?: number | null): Promise<boolean> {
    if (this.isClosed) return Promise.resolve(false);
    if (this.replacing) return this.replaced;
    const old = this.current;
    this.replaced = new Promise((done) => {
      this.replacing = { grace, done };
    });
    if (!old) {
      // It is about to start anyway, with the newest code.
      if (!this.next) this.startAfter(0);
    } else if (old.application?.isExclusive) {
      if (reason !== 'tasks') this.deps.log.replaces(old, reason);
      this.retire(old, grace);
    } else {
      if (reason !== 'tasks') this.deps.log.replaces(old, reason);
      this.next = this.launch();
    }
    return this.replaced;
  }

  /** Stops all processes of this place, and starts no more. */
  async stop(grace?: number): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.timer);
    this.replacing?.done(false);
    const { processes } = this;
    for (const process of processes) process.stop(grace);
    await Promise.all(processes.map(({ gone }) => gone));
  }

  kill(): void {
    for (const process of this.processes) process.kill();
  }

  private launch(): ChildProcess {
    const process = this.deps.start({
      onReady: (application) => this.onReady(process, application),
      onStatus: ({ memory }) => {
        const { maxMemory } = this.deps;
        if (maxMemory !== undefined && memory > maxMemory && process === this.current && process.isReady)
          void this.replace('memory', null);
      },
      onNearlyWorn: () => {
        if (process === this.current && !process.application?.isExclusive) void this.replace('tasks', null);
      },
      onStopping: (why) => this.onStopping(process, why),
      onExit: (exit) => this.onExit(process, exit),
    });
    return process;
  }

  private onReady(process: ChildProcess, application: Application): void {
    this.pauses.cameUp();
    this.deps.log.ready(process, application);
    if (process === this.next) {
      this.next = undefined;
      const old = this.current;
      this.current = process;
      if (old) this.retire(old, this.replacing?.grace);
    }
    this.endReplacing(true);
  }

  /** A process stops because of its tasks or a signal, or as this place has asked. */
  private onStopping(process: ChildProcess, why: StopReason): void {
    if (why !== 'asked') this.deps.log.stops(process, why);
    if (process !== this.current || this.isClosed) return;
    const isExclusive = process.application?.isExclusive ?? false;
    this.leave(process);
    // Of an exclusive store the next process starts when this one is gone.
    if (!this.next && !isExclusive) this.current = this.launch();
  }

  private retire(process: ChildProcess, grace: number | null | undefined): void {
    this.leave(process);
    process.stop(grace);
  }

  private leave(process: ChildProcess): void {
    if (process === this.current) this.current = undefined;
    this.leaving.add(process);
  }

  private onExit(process: ChildProcess, exit: Exit): void {
    this.deps.onGone(process);
    const isLeaving = this.leaving.delete(process);
    const isNext = process === this.next;
    if (isNext) this.next = undefined;
    if (process === this.current) this.current = undefined;
    if (this.isClosed) return;
    if (isLeaving) {
      this.deps.log.ended(process, exit, undefined);
      if (!this.current && !this.next) this.startAfter(0);
    } else if (isNext && this.current) {
      this.deps.log.staysWithOld(exit.failure ?? exit);
      this.endReplacing(false);
    } else {
      this.restart(process, exit);
    }
  }

  private restart(process: ChildProcess, exit: Exit): void {
    const pause = this.pauses.next(process.application !== undefined, performance.now() - process.startedAt);
    if (process.application === undefined) this.endReplacing(false);
    const failure = exit.failure ?? { message: exitText(exit), stack: undefined, isLasting: false };
    if (process.application === undefined && this.deps.givesUp(failure)) return;
    this.deps.log.ended(process, exit, this.next ? undefined : pause);
    if (!this.next) this.startAfter(pause);
  }

  private startAfter(pause: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (!this.isClosed && !this.current && !this.next) this.current = this.launch();
    }, pause);
  }

  private endReplacing(isNew: boolean): void {
    this.replacing?.done(isNew);
    this.replacing = undefined;
  }
}

/** `ended with exit code 1`, `was ended by SIGKILL`. */
export function exitText({ code, signal }: Pick<Exit, 'code' | 'signal'>): string {
  if (signal === 'SIGKILL') return 'was ended by SIGKILL (a person, or the kernel because the memory is used up)';
  if (signal === 'SIGABRT') return 'was ended by SIGABRT (mostly because its heap is full: see the lines above)';
  return signal === null ? `ended with exit code ${code ?? 'unknown'}` : `was ended by ${signal}`;
}
