import { Module } from '@nestjs/common';
import { MulterModule } from '@nestjs/platform-express';
import { VisitorStore } from '../visitors/visitor-store.js';
import { VisitorsModule } from '../visitors/visitors.module.js';
import { PeopleController } from './people.controller.js';
import { PeopleTasks } from './people.tasks.js';

@Module({
  imports: [
    VisitorsModule,
    MulterModule.registerAsync({
      imports: [VisitorsModule],
      inject: [VisitorStore],
      useFactory: (store: VisitorStore) => ({
        dest: store.incoming,
        limits: { files: 1, fileSize: 20 * 1024 * 1024 },
        // Browsers send names as UTF-8.
        defParamCharset: 'utf8',
      }),
    }),
  ],
  controllers: [PeopleController],
  providers: [PeopleTasks],
})
export class PeopleModule {}
