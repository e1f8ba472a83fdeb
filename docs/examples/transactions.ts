import { Injectable, type DynamicModule } from '@nestjs/common';
import { InjectTasks, Task, TaskContext, TaskQueueModule, type Tasks, type TransactionLike } from 'nestjs-task-queue';

export interface OrderDto {
  readonly article: string;
}
export class Order {
  id!: number;
}
export class Account {
  balance!: number;
}

/** Stands for the classes of TypeORM, with the methods that the examples use. */
export abstract class EntityManager implements TransactionLike {
  abstract save(entity: typeof Order, dto: OrderDto): Promise<Order>;
  abstract decrement(entity: typeof Account, where: object, column: string, by: number): Promise<void>;
}
export abstract class DataSource {
  abstract transaction<T>(run: (manager: EntityManager) => Promise<T>): Promise<T>;
}
/** Stand for those of nestjs-cls. */
export abstract class TransactionHost {
  declare static getInstance: () => TransactionHost;
  abstract readonly tx: EntityManager;
  abstract isTransactionActive(): boolean;
}
declare function Transactional(): MethodDecorator;

@Injectable()
export class MailTasks {
  @Task()
  confirm(_order: number): void {}
}

@Injectable()
export class ReportTasks {
  @Task()
  build(month: string): string {
    return month;
  }
}

@Injectable()
export class AuditTasks {
  @Task()
  tried(_dto: OrderDto): void {}
}

@Injectable()
export class TooEarly {
  constructor(
    private readonly dataSource: DataSource,
    @InjectTasks(MailTasks) private readonly mails: Tasks<MailTasks>,
  ) {}

  async place(dto: OrderDto): Promise<void> {
    await this.dataSource.transaction(async (manager) => {
      const order = await manager.save(Order, dto);
      await this.mails.confirm.enqueue(order.id); // too early, or for nothing
    });
  }
}

@Injectable()
export class InTransaction {
  constructor(
    private readonly dataSource: DataSource,
    @InjectTasks(MailTasks) private readonly mails: Tasks<MailTasks>,
    @InjectTasks(ReportTasks) private readonly reports: Tasks<ReportTasks>,
  ) {}

  async place(dto: OrderDto): Promise<void> {
    await this.dataSource.transaction(async (manager) => {
      const order = await manager.save(Order, dto);
      await this.mails.confirm.in(manager).enqueue(order.id); // there with the order, or not at all
    });
  }

  async report(): Promise<void> {
    const handle = await this.dataSource.transaction((manager) => this.reports.build.in(manager).enqueue('2026-11'));
    await handle.result({ timeout: '30s' }); // outside of the transaction
  }
}

export const ambient = (): DynamicModule =>
  TaskQueueModule.forRoot({
    transaction: () => {
      const host = TransactionHost.getInstance();
      return host.isTransactionActive() ? host.tx : undefined;
    },
  });

@Injectable()
export class Ambient {
  constructor(
    private readonly host: TransactionHost,
    @InjectTasks(MailTasks) private readonly mails: Tasks<MailTasks>,
    @InjectTasks(AuditTasks) private readonly audit: Tasks<AuditTasks>,
  ) {}

  @Transactional()
  async place(dto: OrderDto) {
    const order = await this.host.tx.save(Order, dto);
    await this.mails.confirm.enqueue(order.id); // in the transaction
    await this.audit.tried.outside().enqueue(dto); // at once, also if the transaction is rolled back
  }
}

@Injectable()
export class Payments {
  constructor(
    private readonly dataSource: DataSource,
    private readonly task: TaskContext,
  ) {}

  @Task()
  async pay(order: number, amount: number) {
    await this.dataSource.transaction(async (manager) => {
      await manager.decrement(Account, { order }, 'balance', amount);
      await this.task.completeIn(manager, { paid: amount }); // the last statement before the commit
    });
  }
}
