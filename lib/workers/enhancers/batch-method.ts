import type { TaskInvoker } from '../../tasks/task-registry.js';
import { ArgumentPipes } from './argument-pipes.js';
import type { Enhancers } from './enhancers.js';
import { TaskMethod } from './task-method.js';

/** A method with a part of its enhancers. */
export interface EnhancedPart {
  readonly method: TaskMethod;
  readonly around: Enhancers;
}

/** Chooses the part of a method and its enhancers that an invoker calls. */
export type PartOf = (method: TaskMethod, around: Enhancers) => EnhancedPart;

export const whole: PartOf = (method, around) => ({ method, around });

/** What acts on each call of a batch: guards, pipes, and filters for what they throw. In place of the method it returns the arguments. */
export const admission: PartOf = (method, around) => ({
  method: new AdmittedArguments(method),
  around: { ...around, interceptors: [], pipes: around.pipes.ofOneCall() },
});

/** What acts on a batch: interceptors, and filters for what the method throws. */
export const batch: PartOf = (method, around) => ({
  method,
  around: { ...around, guards: [], pipes: new ArgumentPipes([], [], false) },
});

/** Calls a method that takes batches. */
export class BatchMethod implements TaskInvoker {
  readonly admit?: (args: readonly unknown[]) => Promise<readonly unknown[]>;

  /** @param ofCall calls what acts on each call; `undefined` when nothing does */
  constructor(
    ofCall: TaskInvoker | undefined,
    private readonly ofBatch: TaskInvoker,
  ) {
    if (ofCall) this.admit = async (args) => (await ofCall.invoke(args)) as readonly unknown[];
  }

  invoke(args: readonly unknown[]): unknown {
    return this.ofBatch.invoke(args);
  }
}

class AdmittedArguments extends TaskMethod {
  constructor(method: TaskMethod) {
    super(method.instance, method);
  }

  override call(args: readonly unknown[]): unknown {
    return [...args];
  }
}
