import { Body, Controller, Get, Param, ParseUUIDPipe, Post, Put } from '@nestjs/common';
import type { TaskHandle } from 'nestjs-task-queue';
import { z } from 'zod';
import { Visitor } from '../visitors/visitor.js';
import { IdempotencyKey } from './idempotency-key.js';
import { Reviews } from './reviews.js';

const email = z.email().max(200);
const review = z.object({
  name: z.string().trim().min(1).max(60),
  email,
  stars: z.int().min(1).max(5),
  text: z.string().trim().min(1).max(1000),
});
const address = z.object({ email });

@Controller('reviews')
export class ReviewsController {
  constructor(private readonly reviews: Reviews) {}

  /** All reviews. The address and the state of the mail are there for the author alone. */
  @Get()
  async list(@Visitor() visitor: string) {
    const rows = await this.reviews.list().selectAll().execute();
    return rows.map(({ id, name, stars, text, written_at, email: to, task, mailed_at, visitor: author }) => ({
      ...{ id, name, stars, text, written_at },
      ...(author === visitor && { email: to, task, mailed_at }),
    }));
  }

  /** Answers as soon as the review is saved. The mail follows. */
  @Post()
  write(
    @Visitor() visitor: string,
    @IdempotencyKey(ParseUUIDPipe) key: string,
    @Body({ schema: review }) body: z.infer<typeof review>,
  ): Promise<TaskHandle<void>> {
    return this.reviews.write(visitor, key, body);
  }

  @Put(':id/email')
  readdress(
    @Visitor() visitor: string,
    @Param('id', ParseUUIDPipe) id: string,
    @Body({ schema: address }) body: z.infer<typeof address>,
  ): Promise<TaskHandle<void>> {
    return this.reviews.readdress(visitor, id, body.email);
  }
}
