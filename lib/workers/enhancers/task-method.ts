export type Method = (...args: unknown[]) => unknown;

/** One task's method on the instance that has it. */
export class TaskMethod {
  constructor(
    readonly instance: object,
    readonly name: string,
  ) {}

  /** What the class declares: there decorators left their metadata. This is the `getHandler()` of guards and others. */
  get declared(): Method {
    return declaredMethod(Object.getPrototypeOf(this.instance) as object, this.name);
  }

  /** Calls what the instance has under the name by now: other decorators, spies and plugins replace methods. */
  call(args: readonly unknown[]): unknown {
    return (this.instance as Record<string, Method>)[this.name]!(...args);
  }
}

export function declaredMethod(prototype: object, name: string): Method {
  return (prototype as Record<string, Method>)[name]!;
}
