/** Injects the {@link ResolvedOptions}. */
export const RESOLVED_OPTIONS = Symbol('nestjs-task-queue: options');

/** Injects the {@link Engine}. */
export const ENGINE = Symbol('nestjs-task-queue: engine');

/**
 * The same as `getQueueToken(name)` of `@nestjs/bullmq`. Written out, for that package is optional and a token is needed
 * before anything can be loaded; a test holds the two together.
 */
export function nativeQueueToken(name: string): string {
  return `BullQueue_${name}`;
}
