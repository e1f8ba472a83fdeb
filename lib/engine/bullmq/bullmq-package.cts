/**
 * BullMQ, loaded by `require` in both builds. An `import` of this CommonJS package would make Node read its 150 files
 * twice, to find the names that they export, at each start of a process.
 */
import bullmq = require('bullmq');

export = { bullmq };
