import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { TaskQueueOptions } from 'nestjs-task-queue';
import type { Methods } from './program.js';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

type Ask = { [M in keyof Methods]: (...args: Parameters<Methods[M]>) => ReturnType<Methods[M]> };

/** A process of the application, see program.ts. */
export class TestProcess {
  /** The lines that the process has printed. */
  readonly log: string[] = [];
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  private readonly calls = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  private lastCall = 0;

  private constructor(private readonly child: ChildProcess) {
    this.exited = once(child, 'exit').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
    }));
    void this.exited.then(() => {
      for (const { reject } of this.calls.values()) reject(new Error('The process has ended.'));
    });
    for (const stream of [child.stdout, child.stderr]) {
      let rest = '';
      stream?.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        this.log.push(...lines.filter((line) => line !== ''));
      });
    }
    child.on('message', (message: { call?: number; value?: unknown; error?: string }) => {
      if (message.call === undefined) return;
      const call = this.calls.get(message.call);
      this.calls.delete(message.call);
      if (message.error === undefined) call?.resolve(message.value);
      else call?.reject(new Error(message.error));
    });
  }

  /**
   * Starts a process. Resolves once the application has booted.
   *
   * @throws Error with the log when the process ended before
   */
  static async start(
    options: TaskQueueOptions,
    env: {
      JOURNAL: string;
      SCHEDULED?: string;
      BATCHED?: string;
      SINGLE?: string;
      HTTP?: string;
      TASK_QUEUE_PACKAGE?: string;
      CLOCK_AHEAD?: string;
      KILL_BEFORE_TICK?: string;
      KILL_BEFORE_END?: string;
    },
  ): Promise<TestProcess> {
    const loaders = ['typescript-loader.js', ...(env.CLOCK_AHEAD === undefined ? [] : ['shifted-clock.js'])];
    const child = fork(path('program.ts'), [], {
      execArgv: [
        ...['--expose-gc', '--enable-source-maps'],
        ...loaders.flatMap((loader) => ['--import', path(`../../support/${loader}`)]),
      ],
      env: { ...process.env, NODE_ENV: 'production', OPTIONS: JSON.stringify(options), ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const started = new TestProcess(child);
    const ready = new Promise<void>((resolve) => {
      child.on('message', (message: { ready?: boolean }) => message.ready && resolve());
    });
    const over = await Promise.race([ready, started.exited]);
    if (over) throw new Error(`The process ended with ${over.code ?? over.signal}:\n${started.log.join('\n')}`);
    return started;
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** Calls a method of the process, see program.ts, and waits for the answer. */
  readonly ask = new Proxy({} as Ask, {
    get:
      (_, method: string) =>
      (...args: unknown[]) =>
        this.call(method, args),
  });

  /** The log lines of the library. */
  get lines(): string[] {
    return this.log.filter((line) => line.includes('[TaskQueue]'));
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  /** Stops the process by SIGTERM, as a deploy does. */
  async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    await this.exited;
  }

  private call(method: string, args: unknown[]): Promise<unknown> {
    const call = ++this.lastCall;
    return new Promise((resolve, reject) => {
      if (!this.child.connected) return reject(new Error('The process has ended.'));
      this.calls.set(call, { resolve, reject });
      this.child.send({ call, method, args });
    });
  }
}
