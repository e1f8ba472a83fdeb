import { createParamDecorator, type PipeTransform, type Type } from '@nestjs/common';

/**
 * Binds pipes to one parameter of a task; they run after those of the method, the class and the application. Pipes that
 * another parameter decorator of Nest's has (`@Body(ParseIntPipe)`, on a route that is a task too) count as well: give
 * them to that one, a parameter of a route has one decorator.
 *
 * @example
 * @Task()
 * close(@TaskArg(ParseUUIDPipe) account: string, @TaskArg(new ParseArrayPipe({ items: Row })) rows: Row[]) { … }
 */
export function TaskArg(...pipes: (Type<PipeTransform> | PipeTransform)[]): ParameterDecorator {
  return bindPipes(undefined, ...pipes);
}

// Nest's own kind of decorator, so that Nest creates the pipes that are classes. Nobody asks it for a value.
const bindPipes = createParamDecorator(() => undefined);
