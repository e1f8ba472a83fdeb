import { Global, Module } from '@nestjs/common';
import { Database } from './database.js';
import { databaseUrl } from './database-url.js';
import { openDatabase } from './open-database.js';

@Global()
@Module({
  providers: [{ provide: Database, useFactory: () => openDatabase(databaseUrl()) }],
  exports: [Database],
})
export class DatabaseModule {}
