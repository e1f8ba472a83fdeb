import { maskText } from '../admin/mask-secrets.js';
import type { Exit, ChildProcess } from './child-process.js';
import type { Application, BootFailure, StopReason } from './messages.js';
import { exitText, type PlaceLog, type ReplaceReason } from './place.js';
import type { SupervisorSettings } from './settings.js';

const REASONS: Readonly<Record<Exclude<ReplaceReason, 'tasks'>, string>> = {
  memory: 'it needs more memory than --max-memory allows',
  restart: 'restart',
};

/** One line for each thing that happens, beside those of the processes. */
export class SupervisorLog implements PlaceLog {
  constructor(
    private readonly write: (text: string) => void,
    private readonly settings: Pick<SupervisorSettings, 'maxTasks'>,
  ) {}

  line(text: string): void {
    this.write(`[worker ${process.pid}] ${new Date().toISOString()} ${maskText(text)}\n`);
  }

  ready({ pid }: ChildProcess, { queues, place, took }: Application): void {
    const runs =
      queues.length === 0 ? 'it runs no queue, because its application declares no task' : `runs ${queues.join(', ')}`;
    this.line(`Process ${pid} is ready after ${took} ms: ${runs}, on ${place}.`);
  }

  replaces({ pid }: ChildProcess, reason: 'memory' | 'restart'): void {
    this.line(`Process ${pid} is replaced: ${REASONS[reason]}.`);
  }

  stops({ pid, status: { running } }: ChildProcess, why: StopReason): void {
    const reason =
      why === 'tasks' ? `it has run ${this.settings.maxTasks ?? 0} tasks (--max-tasks)` : 'it was asked to stop';
    this.line(`Process ${pid} takes no more tasks: ${reason}; ${running} still run.`);
  }

  ended({ pid, isStopping }: ChildProcess, exit: Exit, again: number | undefined): void {
    if (isStopping && exit.code === 0) return this.line(`Process ${pid} has ended.`);
    const next = again === undefined ? '' : ` Another one starts in ${again / 1_000} s.`;
    this.line(`Process ${pid} ${exitText(exit)}.${exit.failure ? ` ${exit.failure.message}` : ''}${next}`);
  }

  staysWithOld(failure: BootFailure | Exit): void {
    const reason = 'message' in failure ? failure.message : `it ${exitText(failure)}`;
    this.line(`The new process did not come up, so the old one goes on: ${reason}`);
  }
}
