import { Injectable } from '@nestjs/common';
import { InjectTasks, Tasks, TaskHandle } from 'nestjs-task-queue';
import { MailTasks, Reports } from './tasks.js';

@Injectable()
export class SignUp {
  constructor(@InjectTasks(MailTasks) private readonly mail: Tasks<MailTasks>) {}

  async signUp(userId: number): Promise<string> {
    const handle = await this.mail.welcome.enqueue(userId); // stored when this resolves
    return handle.id;
  }
}

@Injectable()
export class Newsletter {
  constructor(
    @InjectTasks(MailTasks) private readonly mail: Tasks<MailTasks>,
    @InjectTasks(Reports) private readonly reports: Tasks<Reports>,
  ) {}

  async options(): Promise<void> {
    await this.mail.welcome.with({ delay: '10m' }).enqueue(17); // or a Date
    await this.mail.welcome.with({ expires: '1h', priority: 5, queue: 'urgent' }).enqueue(17);
    await this.mail.welcome.with({ headers: { tenant: 'acme' } }).enqueue(17);
  }

  async many(): Promise<TaskHandle<void>[]> {
    const handles = await this.mail.welcome.enqueueMany([[1], [2], [3]]);
    return handles;
  }

  async once(request: { headers: { 'idempotency-key': string } }, userId: number): Promise<TaskHandle<string>> {
    const handle = await this.reports.build
      .with({ idempotencyKey: request.headers['idempotency-key'], idempotencyScope: String(userId) })
      .enqueue('2026-11');
    return handle;
  }
}
