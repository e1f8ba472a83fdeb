import { fork, type ChildProcess as NodeProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Engine } from '../engine/engine.js';
import { ConfigurationError } from '../errors.js';
import { readMessage, toMessage } from '../process-message.js';
import type { ApplicationSetup } from './application-setup.js';
import type { ChildExit } from './child-exit.js';
import { copyOutput } from './child-output.js';
import { childProgram } from './child-program.cjs';
import { ChildServer } from './child-server.js';
import type { ChildWaits } from './child-waits.js';
import { inheritedArguments } from './inherited-arguments.js';
import { ISOLATED_VARIABLE } from './isolated-process.js';
import type { ChildJob, FromChild, ToChild } from './messages.js';

/** Milliseconds for which the output of a child may be read after its end. A process that it has started may keep it open. */
const OUTPUT_LIMIT = 500;
/** Milliseconds that an application has to close. */
const CLOSE_LIMIT = 5_000;

export interface ChildOptions {
  readonly job: ChildJob;
  /** The engine with which this process does what the application in the child asks for. */
  readonly engine: Engine;
  readonly waits: ChildWaits;
  /** The limit of the heap in bytes; `undefined`: that of Node. */
  readonly heap: number | undefined;
  /** Why a child that has booted with this setup cannot be used; `undefined` when it can. */
  readonly refusalOf: (setup: ApplicationSetup | undefined) => string | undefined;
}

/** Gets each message of the child that is neither about its boot nor a request to this process. */
export type ChildListener = (message: FromChild) => void;

/** One child process that has booted the application, or is about to. */
export class ChildProcess {
  /** Resolves to the resident memory in bytes once the application has booted. Rejects with the reason why it does not boot. */
  readonly ready: Promise<number>;
  /** Resolves once the process has ended and what it printed is read. */
  readonly gone: Promise<ChildExit>;
  listener: ChildListener = () => undefined;
  /** Attempts that it has begun. */
  attempts = 0;
  readonly server: ChildServer;
  private hasEnded = false;
  private readonly process: NodeProcess;
  /** The last lines of its standard error. */
  private readonly errors: readonly string[];
  private memory: number | undefined;
  private failure: string | undefined;
  private closing: NodeJS.Timeout | undefined;

  /** @throws ConfigurationError when there is no program to start */
  constructor({ job, heap, engine, waits, refusalOf }: ChildOptions) {
    if (childProgram === undefined) {
      throw new ConfigurationError(
        'Isolated tasks need the files of nestjs-task-queue, and this application is a bundle without them. Leave the package out of ' +
          'the bundle (external), or set isolation: false.',
      );
    }
    this.process = fork(childProgram, [], {
      env: { ...process.env, [ISOLATED_VARIABLE]: '1' },
      execArgv: inheritedArguments(process.execArgv, heap),
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe'],
    });
    const prefix = `[isolated ${this.pid}] `;
    copyOutput(this.process.stdout as Readable, process.stdout, prefix);
    this.errors = copyOutput(this.process.stderr as Readable, process.stderr, prefix);
    const watchdog = this.process.stdio[4] as Readable;
    watchdog.on('data', (text: Buffer) => (this.memory = Number.parseInt(text.toString(), 10)));
    watchdog.on('error', () => undefined);
    const [ready, settle] = deferred<number>();
    this.ready = ready;
    this.server = new ChildServer({ engine, waits, send: (message) => this.send(message) });
    this.process.on('message', (received: unknown) => {
      const message = readMessage<FromChild>(received);
      if (!message) return;
      if (message.type === 'ready') {
        this.failure = refusalOf(message.setup);
        // The reason comes once it has closed what it opened.
        if (this.failure !== undefined) this.close();
        else settle.resolve(message.memory);
      } else if (message.type === 'failed') this.failure = message.message;
      else if (!this.server.handle(message)) this.listener(message);
    });
    this.gone = this.endOf(this.process);
    void this.gone.then(({ code, signal, lines }) => {
      clearTimeout(this.closing);
      this.server.close();
      const how = signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`;
      settle.reject(new Error(this.failure ?? [how, ...lines.slice(-8)].join('\n')));
    });
    // The pool waits for it, or has no more interest in it.
    ready.catch(() => undefined);
    this.send({ type: 'boot', job });
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  /** Whether the process still runs. */
  get isAlive(): boolean {
    return !this.hasEnded;
  }

  /** A process that has just ended cannot be sent anything: its end is reported anyway. */
  send(message: ToChild): void {
    if (this.process.connected) this.process.send(toMessage(message), undefined, undefined, () => undefined);
  }

  kill(): void {
    this.process.kill('SIGKILL');
  }

  /** Asks the application to close, and ends the process when that takes too long. */
  close(): void {
    this.send({ type: 'close' });
    this.closing ??= setTimeout(() => this.kill(), CLOSE_LIMIT);
  }

  private endOf(child: NodeProcess): Promise<ChildExit> {
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const end = (code: number | null, signal: NodeJS.Signals | null) => {
        clearTimeout(timer);
        resolve({ code, signal, memory: this.memory, lines: [...this.errors] });
      };
      child.once('close', end);
      child.once('exit', (code, signal) => {
        this.hasEnded = true;
        timer = setTimeout(end, OUTPUT_LIMIT, code, signal);
      });
      child.on('error', ({ message }) => {
        // The operating system starts no process: there will be no exit. Any other error is about a message.
        if (child.pid !== undefined) return;
        this.failure = `The process cannot be started: ${message}`;
        this.hasEnded = true;
        end(null, null);
      });
    });
  }
}

function deferred<T>(): [Promise<T>, { resolve(value: T): void; reject(error: Error): void }] {
  let settle!: { resolve(value: T): void; reject(error: Error): void };
  const promise = new Promise<T>((resolve, reject) => (settle = { resolve, reject }));
  return [promise, settle];
}
