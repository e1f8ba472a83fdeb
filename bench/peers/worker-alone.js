/** The application of `worker-module.js` without the worker command. Sends the milliseconds since the process started. */
import { NestFactory } from '@nestjs/core';
import { AppModule } from './worker-module.js';

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
process.send?.({ ready: performance.now(), memory: process.memoryUsage.rss() });
process.once('disconnect', () => void app.close());
