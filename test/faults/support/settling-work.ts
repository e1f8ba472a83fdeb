import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { Injectable } from '@nestjs/common';
import { chain, InjectTasks, Task, TaskContext, type Tasks } from 'nestjs-task-queue';

/** Set in a process that kills itself while it stores the end of a task, see settling-program.ts. */
export interface Armed {
  /** From now on, counts the commands that name this task. */
  armKill?: (id: string) => void;
}

/** Milliseconds. A caller who runs a cancelled task again waits up to 2 s for the end of the cancelled run. */
const DEAF_FOR = 3_000;

const QUICK = { retries: 1, backoff: { type: 'fixed', delay: 50, jitter: 0 } } as const;

/**
 * Tasks that end in each of the ways in which a task can end. Each run writes a line into the journal, a file whose name is
 * the argument.
 */
@Injectable()
export class SettlingWork {
  constructor(
    private readonly task: TaskContext,
    @InjectTasks(SettlingWork) private readonly work: Tasks<SettlingWork>,
  ) {}

  @Task()
  async succeed(journal: string): Promise<string> {
    this.begin(journal);
    return 'done';
  }

  @Task({ delivery: 'at-most-once' })
  async once(journal: string): Promise<string> {
    return this.succeed(journal);
  }

  @Task()
  async fail(journal: string): Promise<string> {
    this.begin(journal);
    throw new Error('declined');
  }

  /** Fails in its first run. */
  @Task(QUICK)
  async retry(journal: string): Promise<string> {
    if (this.begin(journal) === 1) throw new Error('again');
    return 'done';
  }

  /** Is put back in its first run. */
  @Task()
  async postpone(journal: string): Promise<string> {
    if (this.begin(journal) === 1) this.task.retry({ in: 50 });
    return 'done';
  }

  /** Waits for two members. */
  @Task()
  async become(journal: string): Promise<string> {
    this.begin(journal);
    return this.task.replaceWith(chain(this.work.part.signature(''), this.work.part.signature()));
  }

  /** Blocks its process in its first run once a caller has cancelled it, for longer than a retry waits for the end. */
  @Task()
  async deaf(journal: string): Promise<string> {
    appendFileSync(journal, `${process.pid}\n`);
    if (runsIn(journal) > 1) return 'done';
    const { signal } = this.task;
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    const end = performance.now() + DEAF_FOR;
    while (performance.now() < end);
    (globalThis as Armed).armKill?.(this.task.id);
    throw signal.reason as Error;
  }

  @Task()
  async part(_before: string): Promise<string> {
    return 'done';
  }

  /** @returns the number of this run among all runs in all processes */
  private begin(journal: string): number {
    appendFileSync(journal, `${process.pid}\n`);
    (globalThis as Armed).armKill?.(this.task.id);
    return runsIn(journal);
  }
}

/** The number of runs that a journal names. */
export function runsIn(journal: string): number {
  return existsSync(journal) ? readFileSync(journal, 'utf8').split('\n').length - 1 : 0;
}
