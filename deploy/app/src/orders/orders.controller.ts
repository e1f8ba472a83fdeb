import {
  BadRequestException,
  Body,
  Controller,
  Get,
  Headers,
  HttpCode,
  NotFoundException,
  Param,
  Post,
} from '@nestjs/common';
import { InjectTasks, type Tasks } from 'nestjs-task-queue';
import { OrderStore, type Order } from './order-store.js';
import { OrderTasks } from './orders.tasks.js';

@Controller('orders')
export class OrdersController {
  constructor(
    private readonly orders: OrderStore,
    @InjectTasks(OrderTasks) private readonly tasks: Tasks<OrderTasks>,
  ) {}

  /**
   * The client sends a key of its own with each order. So it may repeat a request without an answer, and the proxy may send
   * a request to the other web process when the first one has just stopped: the order and its task exist once.
   */
  @Post()
  @HttpCode(202)
  async add(@Headers('idempotency-key') key: string | undefined, @Body('item') item: unknown): Promise<Order> {
    if (!key || typeof item !== 'string') throw new BadRequestException('Send an Idempotency-Key and an item.');
    const order = await this.orders.add(key, item);
    await this.tasks.ship.with({ idempotencyKey: order.id }).enqueue(order.id);
    return order;
  }

  @Get(':id')
  async find(@Param('id') id: string): Promise<Order> {
    const order = /^\d{1,18}$/.test(id) ? await this.orders.find(id) : undefined;
    if (!order) throw new NotFoundException('There is no such order.');
    return order;
  }
}
