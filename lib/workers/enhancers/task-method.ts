export type Method = (...args: unknown[]) => unknown;

/** The method of a task, on an instance of its class. */
export class TaskMethod {
  constructor(
    readonly instance: object,
    readonly name: string,
  ) {}

  /**
   * The method that the class declares. It has the metadata of decorators, and enhancers get it from `getHandler()`.
   */
  get declared(): Method {
    return declaredMethod(Object.getPrototypeOf(this.instance) as object, this.name);
  }

  /**
   * Calls the method that the instance has under this name now. Other decorators, spies and plugins may have replaced
   * it since the application started.
   */
  call(args: readonly unknown[]): unknown {
    return (this.instance as Record<string, Method>)[this.name]!(...args);
  }
}

export function declaredMethod(prototype: object, name: string): Method {
  return (prototype as Record<string, Method>)[name]!;
}
