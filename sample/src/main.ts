import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { fileURLToPath } from 'node:url';
import { AppModule } from './app.module.js';
import { welcomeVisitor } from './visitors/visitor.js';

if (process.env.TASK_QUEUE_ROLE === 'worker') await work();
else await serve();

/** Runs tasks only, and opens no port. */
async function work(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule);
  app.enableShutdownHooks();
  console.log('Working');
}

/** Serves the page. It also runs tasks, unless TASK_QUEUE_ROLE is `producer`. */
async function serve(): Promise<void> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule);
  app.enableShutdownHooks();
  app.use(welcomeVisitor);
  app.useStaticAssets(fileURLToPath(new URL('../public', import.meta.url)));
  await app.listen(process.env.PORT ?? 3000, '127.0.0.1');
  console.log(`Listening on http://localhost:${new URL(await app.getUrl()).port}`);
}
