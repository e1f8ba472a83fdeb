import type { ModulesContainer } from '@nestjs/core';

/** The key under which `@Processor()` of `@nestjs/bullmq` keeps its options. That package may not be installed. */
const PROCESSOR = 'bullmq:processor_metadata';

/** The names of the classes with `@Processor()` in this application, by queue. */
export function processorsIn(modules: ModulesContainer): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { providers } of modules.values()) {
    for (const { instance, isAlias } of providers.values()) {
      const type = (instance as object | null | undefined)?.constructor;
      const queue = type && (Reflect.getMetadata(PROCESSOR, type) as { name?: unknown } | undefined)?.name;
      if (isAlias || !type || typeof queue !== 'string') continue;
      found.set(queue, [...(found.get(queue) ?? []), type.name]);
    }
  }
  return found;
}
