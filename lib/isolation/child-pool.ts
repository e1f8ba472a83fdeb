import type { Places } from '../engine/ports/worker-port.js';
import { describeExit } from './child-exit.js';
import type { ChildProcess } from './child-process.js';
import { PackageLogger } from '../package-logger.js';

/** The share of its attempts after which the successor of a child boots, which takes about a second. */
const NEARLY_WORN = 0.8;
/** Milliseconds before the next attempt to boot a child, after one that did not boot or ended without a task; doubled each time. */
const [FIRST_PAUSE, LONGEST_PAUSE] = [500, 30_000];
/** Milliseconds that an application has to boot. */
const BOOT_LIMIT = 120_000;

export interface ChildPoolDeps {
  /** Starts a process. */
  readonly fork: () => ChildProcess;
  /** How many children run tasks at the same time. */
  readonly processes: number;
  /** Attempts of one child. */
  readonly maxTasks: number;
}

interface Member {
  readonly child: ChildProcess;
  /** The queue of the task that it runs. */
  queue: string | undefined;
  /** Why its successor boots already: it has soon run all its attempts, or will perhaps be killed. */
  leaves: 'soon' | 'perhaps' | undefined;
}

/**
 * The child processes of this process. Each has booted the application before it gets its first task, and its successor boots before it
 * leaves.
 */
export class ChildPool {
  private readonly logger = new PackageLogger();
  private readonly members = new Set<Member>();
  private booting: ChildProcess | undefined;
  private starting: Promise<void> | undefined;
  private readonly listeners = new Set<() => void>();
  /** Runs whose child has died, and which go on in the next one. */
  private readonly waiting: ((child: ChildProcess | undefined) => void)[] = [];
  private pause = 0;
  private pauseTimer: NodeJS.Timeout | undefined;
  private isStopped = false;
  /** The resident memory in bytes of the first child when it had booted. */
  memoryAtBoot = 0;

  constructor(private readonly deps: ChildPoolDeps) {}

  /**
   * Boots the first child, and the others after it.
   *
   * @throws Error with the reason why the application does not boot
   */
  start(): Promise<void> {
    this.starting ??= this.bootNext().then(() => this.fill());
    return this.starting;
  }

  /** Boots the children for a task that is here already. When they do not boot, the reason is logged and another attempt follows. */
  startNow(): Promise<void> {
    return this.start().catch((error: unknown) => this.bootLater(error));
  }

  get isStarted(): boolean {
    return this.starting !== undefined;
  }

  /** How many children could take a task now. */
  get free(): number {
    if (this.isStopped) return 0;
    const idle = this.idle().length;
    const busy = this.members.size - this.all(({ queue }) => queue === undefined).length;
    return Math.max(Math.min(idle, this.deps.processes - busy) - this.waiting.length, 0);
  }

  /** The places that the tasks of a queue have in this process. */
  placesOf(queue: string): Places {
    return {
      count: () => this.free + this.all((member) => member.queue === queue).length,
      onChange: (listener) => this.onChange(listener),
    };
  }

  /** @returns removes the listener */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** A child for a task of this queue; `undefined` when none is free. */
  take(queue: string): ChildProcess | undefined {
    return this.free > 0 ? this.takeFirst(queue) : undefined;
  }

  /**
   * A child for a task that has lost its own. Waits for the next one.
   *
   * @returns `undefined` when there will be none: the pool stops
   */
  async takeNext(queue: string): Promise<ChildProcess | undefined> {
    if (this.isStopped) return undefined;
    const child = this.take(queue);
    if (child) return child;
    return new Promise((resolve) => {
      this.waiting.push((next) => {
        const member = this.memberOf(next);
        if (member) member.queue = queue;
        resolve(next);
      });
      this.changed();
    });
  }

  /** The task of a child has ended, or the child itself. */
  giveBack(child: ChildProcess): void {
    const member = this.memberOf(child);
    if (!member) return;
    member.queue = undefined;
    if (child.attempts >= this.deps.maxTasks) this.dismiss(member);
    // It has ended its task in time. Its successor may have booted meanwhile.
    else if (member.leaves === 'perhaps' && this.staying >= this.deps.processes) this.dismiss(member);
    else if (member.leaves === 'perhaps') member.leaves = undefined;
    this.changed();
  }

  /** A child will probably have to be killed, so its successor boots already. */
  expectEnd(child: ChildProcess): void {
    const member = this.memberOf(child);
    if (!member) return;
    member.leaves ??= 'perhaps';
    this.fill();
  }

  /** Closes the children. To be called after their tasks have ended. */
  async stop(): Promise<void> {
    this.isStopped = true;
    clearTimeout(this.pauseTimer);
    for (const resolve of this.waiting.splice(0)) resolve(undefined);
    const children = this.all().map(({ child }) => child);
    for (const child of children) child.close();
    // It has no task and no state.
    this.booting?.kill();
    await Promise.all([...children, ...(this.booting ? [this.booting] : [])].map(({ gone }) => gone));
  }

  private takeFirst(queue: string): ChildProcess | undefined {
    // The one that leaves first, so that it is worn when its successor is ready.
    const [member] = this.idle().toSorted((one, other) => other.child.attempts - one.child.attempts);
    if (!member) return undefined;
    member.queue = queue;
    member.child.attempts++;
    if (member.child.attempts >= this.deps.maxTasks * NEARLY_WORN) member.leaves = 'soon';
    this.fill();
    this.tell();
    return member.child;
  }

  private get staying(): number {
    return this.all(({ leaves }) => leaves === undefined).length;
  }

  private idle(): Member[] {
    return this.all(({ queue, child }) => queue === undefined && child.isAlive);
  }

  private all(which: (member: Member) => boolean = () => true): Member[] {
    return [...this.members].filter(which);
  }

  private memberOf(child: ChildProcess | undefined): Member | undefined {
    return this.all((member) => member.child === child)[0];
  }

  private dismiss(member: Member): void {
    this.members.delete(member);
    member.child.close();
    this.fill();
  }

  /** Boots what is missing, one after the other: each needs a processor for most of a second. */
  private fill(): void {
    if (this.isStopped || this.booting || this.pauseTimer) return;
    if (this.staying >= this.deps.processes) return;
    this.bootNext().then(
      () => {
        this.pause = 0;
        this.fill();
      },
      (error: unknown) => this.bootLater(error),
    );
  }

  private bootLater(error: unknown): void {
    if (this.isStopped) return;
    const pause = this.fillLater();
    this.logger.error(
      `A child process for isolated tasks did not boot; another attempt follows in ${pause} ms: ${(error as Error).message}`,
    );
  }

  private fillLater(): number {
    const pause = this.pause;
    this.pause = Math.min(Math.max(this.pause * 2, FIRST_PAUSE), LONGEST_PAUSE);
    clearTimeout(this.pauseTimer);
    this.pauseTimer = setTimeout(() => {
      this.pauseTimer = undefined;
      this.fill();
    }, pause);
    return pause;
  }

  private async bootNext(): Promise<void> {
    const child = this.deps.fork();
    this.booting = child;
    const limit = setTimeout(() => child.kill(), BOOT_LIMIT);
    try {
      const memory = await child.ready;
      this.memoryAtBoot ||= memory;
    } finally {
      clearTimeout(limit);
      this.booting = undefined;
    }
    if (this.isStopped) return child.close();
    const member: Member = { child, queue: undefined, leaves: undefined };
    this.members.add(member);
    void child.gone.then((exit) => this.onGone(member, describeExit(exit, undefined)));
    this.changed();
  }

  private onGone(member: Member, why: string): void {
    // The run of its task tells what has happened.
    const wasIdle = member.queue === undefined;
    if (!this.members.delete(member) || this.isStopped) return;
    if (wasIdle) {
      this.logger.error(`The child process ${member.child.pid}, which ran no task, ${why}.`);
      // An application that ends its idle processes would do so at once again.
      this.fillLater();
    } else this.fill();
    this.tell();
  }

  private changed(): void {
    while (this.waiting.length > 0) {
      const [member] = this.idle();
      if (!member) break;
      member.child.attempts++;
      this.waiting.shift()?.(member.child);
    }
    this.fill();
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}
