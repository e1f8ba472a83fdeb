import { createParamDecorator, type PipeTransform, type Type } from '@nestjs/common';

/**
 * Binds pipes to one parameter of a task. They run after the pipes of the application, the class and the method.
 *
 * On a method that is also a route, give the pipes to the parameter decorator of the route instead, for example
 * `@Body(ParseIntPipe)`, because a parameter has only one such decorator. Its pipes also run for the task.
 *
 * @param pipes classes or instances. Nest creates an instance of each class, so the class may have injected
 * dependencies. A pipe that refuses the argument makes the task fail without another attempt.
 *
 * @example
 * ```ts
 * @Task()
 * close(@TaskArg(ParseUUIDPipe) account: string, @TaskArg(new ParseArrayPipe({ items: Row })) rows: Row[]) { … }
 * ```
 */
export function TaskArg(...pipes: (Type<PipeTransform> | PipeTransform)[]): ParameterDecorator {
  return bindPipes(undefined, ...pipes);
}

// Nest creates pipes that are classes only for its own kind of parameter decorator. The value is never read.
const bindPipes = createParamDecorator(() => undefined);
