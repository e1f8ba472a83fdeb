import { Module } from '@nestjs/common';
import { MailsModule } from '../mails/mails.module.js';
import { ReviewTasks } from './review.tasks.js';
import { ReviewsController } from './reviews.controller.js';
import { Reviews } from './reviews.js';

@Module({ imports: [MailsModule], controllers: [ReviewsController], providers: [Reviews, ReviewTasks] })
export class ReviewsModule {}
