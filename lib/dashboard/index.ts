/** The entry point `nestjs-task-queue/dashboard`. The build replaces this line as that of `lib/index.ts`. */
export * from './public-api.js';
