import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { administratorPassword } from './administrators/password.js';
import { AppModule } from './app.module.js';
import { protect } from './frame/protection.js';

try {
  if (process.env.TASK_QUEUE_ROLE === 'worker') await work();
  else await serve();
} catch (error) {
  console.error(`The sample cannot start. ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}

/** Runs tasks only, and opens no port. */
async function work(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { abortOnError: false });
  app.enableShutdownHooks();
  console.log('Working');
}

/** Serves the pages. The process also runs tasks, unless TASK_QUEUE_ROLE is `producer`. */
async function serve(): Promise<void> {
  const password = administratorPassword();
  const app = await NestFactory.create<NestExpressApplication>(AppModule, { abortOnError: false });
  app.enableShutdownHooks();
  protect(app);
  await app.listen(process.env.PORT ?? 3000, '127.0.0.1');
  if (password.origin === 'file') console.log(`Administrators sign in with the password ${password.text}`);
  console.log(`Listening on http://localhost:${new URL(await app.getUrl()).port}`);
}
