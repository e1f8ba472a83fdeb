import {
  Body,
  ConflictException,
  Controller,
  Get,
  HttpCode,
  HttpException,
  type MessageEvent,
  NotFoundException,
  Param,
  Post,
  Sse,
  SseSignal,
} from '@nestjs/common';
import { InjectTasks, type TaskHandle, type Tasks } from 'nestjs-task-queue';
import { randomUUID } from 'node:crypto';
import { from, map, type Observable } from 'rxjs';
import { z } from 'zod';
import { Visitor } from '../visitors/visitor.js';
import { OrderDatabase } from './order-database.js';
import { OrderLoad } from './order-load.js';
import { type OrderPlace, placeOfOrders } from './order-place.js';
import { OrderTasks } from './orders.tasks.js';

const loadRequest = z.object({
  way: z.enum(['direct', 'queue']),
  shops: z.int().min(1).max(50),
  orders: z.int().min(1).max(5000),
});
const outageRequest = z.object({ seconds: z.int().min(1).max(10) });
const payment = z.object({ isPaid: z.boolean() });

@Controller('orders')
export class OrdersController {
  private load: OrderLoad | undefined;

  constructor(
    @InjectTasks(OrderTasks) private readonly tasks: Tasks<OrderTasks>,
    private readonly database: OrderDatabase,
  ) {}

  @Get('place')
  place(): OrderPlace {
    return placeOfOrders(this.database.name);
  }

  /** Lets many shops write orders. One load at a time, so that two do not spoil each other's figures. */
  @Post('loads')
  begin(@Body({ schema: loadRequest }) request: z.infer<typeof loadRequest>): { id: string } {
    const { obstacle } = this.place();
    if (obstacle !== undefined) throw new ConflictException(obstacle);
    if (this.load?.isDone === false) throw new ConflictException('Another load is under way. Try again in a moment.');
    this.load = new OrderLoad(request, { database: this.database, tasks: this.tasks });
    void this.load.run();
    return { id: this.load.id };
  }

  @Sse('loads/:id')
  watch(@Param('id') id: string, @SseSignal() signal: AbortSignal): Observable<MessageEvent> {
    if (this.load?.id !== id) throw new NotFoundException('There is no such load.');
    return from(this.load.views(signal)).pipe(map((data) => ({ data })));
  }

  /** Lets the database refuse orders for some seconds. */
  @Post('outages')
  @HttpCode(204)
  async stop(@Body({ schema: outageRequest }) { seconds }: z.infer<typeof outageRequest>): Promise<void> {
    await this.database.stopFor(seconds);
  }

  /** Stores an order and enqueues its confirmation in one transaction: both are there, or neither. */
  @Post()
  async order(
    @Visitor() visitor: string,
    @Body({ schema: payment }) { isPaid }: z.infer<typeof payment>,
  ): Promise<TaskHandle<void>> {
    const id = randomUUID();
    return this.database.transaction(async (tx) => {
      await tx.query('INSERT INTO sample.confirmed (id) VALUES ($1)', [id]);
      const handle = await this.tasks.confirm.in(tx).with({ headers: { visitor } }).enqueue(id);
      if (!isPaid) throw new HttpException('The payment was refused: there is neither an order nor a task.', 402);
      return handle;
    });
  }
}
