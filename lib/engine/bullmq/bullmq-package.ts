import { createRequire } from 'node:module';

/**
 * BullMQ, loaded with `require`, because it is a CommonJS package. An `import` of it would make Node read all its 150
 * files a second time at each start of a process, to find the names that they export.
 */
export const bullmq = createRequire(import.meta.url)('bullmq') as typeof import('bullmq');
