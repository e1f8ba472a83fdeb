import { Injectable, Module, type CanActivate } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { TaskQueueModule } from 'nestjs-task-queue';
import { TaskQueueHealthModule } from 'nestjs-task-queue/health';
import { TaskMetricsModule } from 'nestjs-task-queue/metrics';
import { HealthController } from '../../test/support/monitoring/health.controller.js';

@Injectable()
export class MonitoringGuard implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

@Module({})
export class AuthModule {}

@Module({
  imports: [
    TaskQueueModule.forRoot(),
    TaskMetricsModule.forRoot({ path: 'metrics', imports: [AuthModule], guards: [MonitoringGuard] }),
  ],
})
export class AppModule {}

@Module({ imports: [TerminusModule, TaskQueueHealthModule], controllers: [HealthController] })
export class HealthModule {}
