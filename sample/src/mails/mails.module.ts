import { Module } from '@nestjs/common';
import { InboxController } from './inbox.controller.js';
import { Mailer } from './mailer.js';

@Module({ controllers: [InboxController], providers: [Mailer], exports: [Mailer] })
export class MailsModule {}
