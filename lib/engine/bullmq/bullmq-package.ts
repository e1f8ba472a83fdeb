import { createRequire } from 'node:module';

/**
 * BullMQ as the CommonJS package it is. To import its 150 files as an ES module has Node read them all once more, for the
 * names they export, at each start of a process.
 */
export const bullmq = createRequire(import.meta.url)('bullmq') as typeof import('bullmq');
