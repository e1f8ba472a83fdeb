import { Injectable, ParseIntPipe, UseGuards, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { getTaskContext, Task, TaskArg } from 'nestjs-task-queue';

export class InvoiceDto {
  number!: string;
}

@Injectable()
export class TenantGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return getTaskContext(context).headers['tenant'] !== undefined;
  }
}

@Injectable()
@UseGuards(TenantGuard)
export class InvoiceTasks {
  @Task()
  async send(invoice: InvoiceDto, @TaskArg(ParseIntPipe) copies: number): Promise<string> {
    return `${invoice.number} × ${copies}`;
  }
}
