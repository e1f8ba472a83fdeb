import {
  EXCEPTION_FILTERS_METADATA,
  GUARDS_METADATA,
  INTERCEPTORS_METADATA,
  PIPES_METADATA,
} from '@nestjs/common/constants.js';
import { ConfigurationError } from '../../errors.js';
import type { FoundTask } from '../../tasks/task-explorer.js';
import { decoratedParameters } from './enhancer-reader.js';
import { declaredMethod } from './task-method.js';

/**
 * Refuses a task with an enhancer that Nest would not create. Nest creates the enhancers of classes that it creates
 * itself. It silently ignores the enhancers of a provider from `useFactory` or `useValue`, and a guard that does not
 * run is worse than an application that does not start.
 *
 * @throws ConfigurationError with the enhancer and the task
 */
export function refuseUnbuiltEnhancers({ definition, provider, method }: FoundTask, type: Function): void {
  const handler = declaredMethod(type.prototype as object, method);
  for (const key of [GUARDS_METADATA, INTERCEPTORS_METADATA, PIPES_METADATA, EXCEPTION_FILTERS_METADATA]) {
    const bound = [type, handler].flatMap((target) => (Reflect.getMetadata(key, target) ?? []) as unknown[]);
    refuse(bound);
  }
  refuse(decoratedParameters(type, method).flatMap(({ pipes }) => pipes));

  function refuse(bound: readonly unknown[]): void {
    for (const enhancer of bound) {
      if (typeof enhancer !== 'function' || provider.host?.injectables.has(enhancer)) continue;
      throw new ConfigurationError(
        `${enhancer.name} of task "${definition.name}" would not run: Nest creates the enhancers of classes that it creates ` +
          `itself, and ${type.name} comes from useFactory or useValue. Provide the class, or bind an instance of ${enhancer.name}.`,
      );
    }
  }
}
