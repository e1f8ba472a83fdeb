import { Module } from '@nestjs/common';
import { SlowPageController } from './slow-page.controller.js';
import { SlowParts } from './slow-page.tasks.js';

@Module({ controllers: [SlowPageController], providers: [SlowParts] })
export class SlowPageModule {}
