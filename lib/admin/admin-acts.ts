import type { Engine } from '../engine/engine.js';
import type { Reason } from '../engine/ports/control-port.js';
import type { TaskFilter } from './task-filter.js';
import { checkActor, type ActOptions } from './act-options.js';

/** What an act is about. */
export interface ActSubject {
  /** The method of `TaskAdmin`. */
  readonly act: string;
  readonly queue?: string;
  readonly id?: string;
  readonly filter?: TaskFilter;
  readonly worker?: string;
}

export interface AdminActsDeps {
  readonly engine: Pick<Engine, 'now'>;
}

/** Performs the acts of administrators: each of them has an actor and a time. */
export class AdminActs {
  constructor(private readonly deps: AdminActsDeps) {}

  /**
   * @param run gets who acts, when and why
   * @throws InvalidArgumentsError when the options are wrong, and what `run` throws
   */
  async perform<T>(_subject: ActSubject, options: ActOptions, run: (reason: Reason) => Promise<T>): Promise<T> {
    return run({ ...checkActor(options), at: this.deps.engine.now() });
  }
}
