import type { ModulesContainer } from '@nestjs/core';
import type { Module } from '@nestjs/core/injector/module.js';
import { ConfigurationError } from './errors.js';

/**
 * Checks that only one module has this token: that `forRoot()` was imported once. Nest makes two modules of two imports.
 *
 * @param otherwise what two modules would do
 * @throws ConfigurationError naming the modules that import it
 */
export function checkImportedOnce(modules: ModulesContainer, token: symbol, otherwise: string): void {
  const own = [...modules.values()].filter(({ providers }) => providers.has(token));
  const [first, second] = own;
  if (!first || !second) return;
  const importers = [...modules.values()].filter((module) => imports(module, first.metatype)).map(({ name }) => name);
  throw new ConfigurationError(
    `${first.name}.forRoot() is imported ${own.length === 2 ? 'twice' : `${own.length} times`}${importers.length > 0 ? `, by ${importers.join(' and ')}` : ''}. ` +
      `${otherwise}: import it once, in the root module, and remove the other imports.`,
  );
}

/** Checks that a module has this token: that `forRoot()` was imported. @throws ConfigurationError */
export function checkImported(modules: ModulesContainer, token: symbol): void {
  if ([...modules.values()].some(({ providers }) => providers.has(token))) return;
  throw new ConfigurationError(
    'TaskQueueModule is imported without its options. Import TaskQueueModule.forRoot() once, in the root module.',
  );
}

/** Whether the decorator of a module imports a dynamic module of this class. */
function imports({ metatype }: Module, type: unknown): boolean {
  const list = (Reflect.getMetadata('imports', metatype) ?? []) as unknown[];
  return list.some((item) => typeof item === 'object' && item !== null && Reflect.get(item, 'module') === type);
}
