import { Module } from '@nestjs/common';
import { FilesController } from './files.controller.js';
import { VisitorStore } from './visitor-store.js';

@Module({ controllers: [FilesController], providers: [VisitorStore], exports: [VisitorStore] })
export class VisitorsModule {}
