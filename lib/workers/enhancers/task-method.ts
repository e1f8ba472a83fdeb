import type { Type } from '@nestjs/common';
import { typeOfInstance } from '../../tasks/provided-classes.js';
import type { FoundTask } from '../../tasks/task-explorer.js';
import { inheritedHandler, type Method } from './inherited-handler.js';

/** A method as its class declares it. Decorators bind enhancers to it. */
export interface DeclaredMethod {
  /** The class of the task. Enhancers get it from `getClass()`. */
  readonly type: Type;
  readonly name: string;
  /**
   * The function with the metadata of decorators. Enhancers get it from `getHandler()`. A proxy or a spy on the instance
   * does not change it.
   */
  readonly declared: Method;
}

/** The method of a task, on the instance that runs it. */
export class TaskMethod implements DeclaredMethod {
  readonly type: Type;
  readonly name: string;
  readonly declared: Method;
  /**
   * Stands for the instance where Nest asks for its class. Nest would ask `instance.constructor`, and a test double
   * has another constructor.
   */
  readonly host: object;

  constructor(
    readonly instance: object,
    { type, name, declared }: DeclaredMethod,
  ) {
    this.type = type;
    this.name = name;
    this.declared = declared;
    this.host = Object.create(type.prototype as object, { constructor: { value: type } }) as object;
  }

  /**
   * Calls the method that the instance has under this name now. Other decorators, spies and plugins may have replaced
   * it since the application started.
   *
   * @throws TypeError when the instance has no such method, as an incomplete test double
   */
  call(args: readonly unknown[]): unknown {
    const { instance, name, type } = this;
    const method = (instance as Record<string, unknown>)[name];
    if (typeof method === 'function') return (method as Method).apply(instance, [...args]);
    throw new TypeError(
      `The provider of ${type.name} has no method "${name}". Add the method to the object that stands for the class.`,
    );
  }
}

/** Makes the {@link TaskMethod} of one task for an instance of its provider. */
export class TaskMethods {
  private readonly byType = new WeakMap<Type, DeclaredMethod>();

  constructor(private readonly task: FoundTask) {}

  /** The method as far as it is known before there is an instance. */
  get known(): DeclaredMethod {
    return this.declaredBy(this.task.type);
  }

  on(instance: object): TaskMethod {
    const { target, type } = this.task;
    // The class of what a request-scoped factory returns was not known at boot.
    return new TaskMethod(instance, this.declaredBy(type === target ? typeOfInstance(instance, target) : type));
  }

  private declaredBy(type: Type): DeclaredMethod {
    const { target, method: name } = this.task;
    let found = this.byType.get(type);
    if (!found) {
      found = { type, name, declared: inheritedHandler(target, type, name) };
      this.byType.set(type, found);
    }
    return found;
  }
}
