import { Injectable, type DynamicModule } from '@nestjs/common';
import { InjectTasks, TaskQueueModule, type Tasks } from 'nestjs-task-queue';
import { DataSource, MailTasks, Order, type OrderDto } from './transactions.js';

export const outbox = (): DynamicModule =>
  TaskQueueModule.forRoot({
    connection: 'redis://localhost:6379',
    outbox: { connection: 'postgres://app:password@localhost:5432/shop' },
  });

@Injectable()
export class Orders {
  constructor(
    private readonly dataSource: DataSource,
    @InjectTasks(MailTasks) private readonly mails: Tasks<MailTasks>,
  ) {}

  async place(dto: OrderDto): Promise<void> {
    await this.dataSource.transaction(async (manager) => {
      const order = await manager.save(Order, dto);
      await this.mails.confirm.in(manager).enqueue(order.id); // there with the order, or not at all
    });
  }
}
