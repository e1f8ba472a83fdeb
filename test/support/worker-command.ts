import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './until.js';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
/** The built command, because it would compile the source of this package in each process. The application is compiled by the loader. */
const COMMAND = ['--import', path('typescript-loader.js'), path('../../dist/esm/cli/main.js'), 'worker'];
const PACKAGE = new URL('../../dist/esm/index.js', import.meta.url).href;

/** A line of the journal: `started <id> <pid>`, `finished <id> <pid>`. */
export interface JournalLine {
  readonly event: string;
  readonly id: string;
  readonly pid: number;
}

/** The command `worker` in a process of its own, with the application of `worker-application.ts`. */
export class WorkerCommand {
  /** Everything that the supervisor and its processes have printed. */
  output = '';
  readonly exited: Promise<number | NodeJS.Signals>;
  private readonly child: ChildProcess;
  private readonly folder = mkdtempSync(join(tmpdir(), 'worker-command-'));
  private readonly journal: string;

  /** @param options of the command line; the module is that of the tests unless the first one is a file */
  constructor(options: readonly string[], env: NodeJS.ProcessEnv, journal?: string) {
    this.journal = journal ?? join(this.folder, 'journal');
    if (journal === undefined) writeFileSync(this.journal, '');
    const hasFile = options[0] !== undefined && !options[0].startsWith('--');
    const module = hasFile ? [] : [path('worker-application.ts')];
    this.child = spawn(process.execPath, [...COMMAND, ...module, ...options], {
      env: {
        PATH: process.env['PATH'],
        NO_COLOR: '1',
        NODE_ENV: 'production',
        JOURNAL: this.journal,
        TASK_QUEUE_PACKAGE: PACKAGE,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    // Its processes end with it.
    const killIt = () => this.child.kill('SIGKILL');
    process.once('exit', killIt);
    this.child.once('exit', () => process.off('exit', killIt));
    this.exited = once(this.child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** The ids of the processes that have become ready, in this order. */
  get ready(): number[] {
    return Array.from(this.output.matchAll(/Process (\d+) is ready/g), ([, pid]) => Number(pid));
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async says(text: string | RegExp, patience = 60_000): Promise<void> {
    await until(
      () => (typeof text === 'string' ? this.output.includes(text) : text.test(this.output)),
      () => `the command says ${String(text)}; it says:\n${this.output}`,
      patience,
    );
  }

  async isReady(processes: number): Promise<void> {
    await until(
      () => this.ready.length >= processes,
      () => `${processes} processes are ready:\n${this.output}`,
      60_000,
    );
  }

  recorded(event: string, id?: string): JournalLine[] {
    return readFileSync(this.journal, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split(' '))
      .map(([name = '', task = '', pid]) => ({ event: name, id: task, pid: Number(pid) }))
      .filter((line) => line.event === event && (id === undefined || line.id === id));
  }

  /** Ends what still runs. */
  async close(): Promise<void> {
    for (const pid of this.ready) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    this.child.kill('SIGKILL');
    await this.exited;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Whether a process runs; one that has ended and that its parent has not asked about does not. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
