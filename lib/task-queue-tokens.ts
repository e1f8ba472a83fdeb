/** The token that injects the {@link ResolvedOptions}. */
export const RESOLVED_OPTIONS = Symbol('nestjs-task-queue: options');

/** The token that injects the {@link Engine}. */
export const ENGINE = Symbol('nestjs-task-queue: engine');

/** The token that injects the {@link Outbox}; `undefined` without the option `outbox`. */
export const OUTBOX = Symbol('nestjs-task-queue: outbox');

/**
 * The same token as `getQueueToken(name)` of `@nestjs/bullmq`. The text is repeated here, because that package is
 * optional and tokens are needed before any package can be loaded. A test makes sure that both are equal.
 */
export function nativeQueueToken(name: string): string {
  return `BullQueue_${name}`;
}
