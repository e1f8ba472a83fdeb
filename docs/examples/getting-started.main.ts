import { NestFactory } from '@nestjs/core';
import { AppModule } from './getting-started.js';

const app = await NestFactory.create(AppModule);
app.enableShutdownHooks();
await app.listen(3000);
