import { Injectable, Module, type CanActivate } from '@nestjs/common';
import { OnAdmin, TaskQueueModule, type AdminAct } from 'nestjs-task-queue';
import { TaskDashboardModule } from 'nestjs-task-queue/dashboard';

export abstract class Audit {
  abstract insert(line: object): Promise<void>;
}

@Injectable()
export class AdminGuard implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

@Module({})
export class AuthModule {}

@Injectable()
export class AuditLog {
  constructor(private readonly audit: Audit) {}

  @OnAdmin()
  async note({ act, by, queue, id, schedule, reason, error }: AdminAct): Promise<void> {
    await this.audit.insert({ act, by, on: queue ?? id ?? schedule, reason, failed: error?.message });
  }
}

@Module({
  imports: [
    TaskQueueModule.forRoot(),
    TaskDashboardModule.forRoot({ path: 'admin/tasks', imports: [AuthModule], guards: [AdminGuard] }),
  ],
})
export class AppModule {}
