import { Module } from '@nestjs/common';
import { MailsModule } from '../mails/mails.module.js';
import { QuoteMails } from './quote-mails.tasks.js';
import { QuoteTasks } from './quote.tasks.js';
import { QuotesController } from './quotes.controller.js';

@Module({ imports: [MailsModule], controllers: [QuotesController], providers: [QuoteTasks, QuoteMails] })
export class QuotesModule {}
