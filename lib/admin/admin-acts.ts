import type { Engine } from '../engine/engine.js';
import type { Reason } from '../engine/ports/control-port.js';
import { TaskHandle } from '../results/task-handle.js';
import { checkActor, type ActOptions, type Actor } from './act-options.js';
import type { ActSubject, AdminAct } from './admin-act.js';

export interface AdminActsDeps {
  readonly engine: Pick<Engine, 'now'>;
  readonly listeners: { notify(act: AdminAct): void };
}

/** Performs the acts of administrators: each of them has an actor and a time, and listeners get each of them afterwards. */
export class AdminActs {
  constructor(private readonly deps: AdminActsDeps) {}

  /**
   * @param run gets who acts, when and why
   * @throws InvalidArgumentsError when the options are wrong, and what `run` throws
   */
  async perform<T>(subject: ActSubject, options: ActOptions, run: (reason: Reason) => Promise<T>): Promise<T> {
    const { engine, listeners } = this.deps;
    const at = engine.now();
    let actor: Actor = { by: 'unknown', reason: null };
    const told = { ...subject, at: new Date(at).toISOString() };
    try {
      actor = checkActor(options);
      const result = await run({ ...actor, at });
      listeners.notify({ ...told, ...actor, result: shown(result) });
      return result;
    } catch (error) {
      const { name, message, code } = error as Error & { code?: unknown };
      listeners.notify({ ...told, ...actor, error: { name, message, ...(typeof code === 'string' && { code }) } });
      throw error;
    }
  }
}

function shown(result: unknown): unknown {
  return result instanceof TaskHandle ? { id: result.id } : (result ?? null);
}
