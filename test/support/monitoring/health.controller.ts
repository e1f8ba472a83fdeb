import { Controller, Get } from '@nestjs/common';
import { HealthCheck, HealthCheckService } from '@nestjs/terminus';
import { TaskQueueHealthIndicator } from 'nestjs-task-queue/health';

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly tasks: TaskQueueHealthIndicator,
  ) {}

  /** Would a restart help? */
  @Get('live')
  @HealthCheck()
  live() {
    return this.health.check([() => this.tasks.consuming({ probe: 'liveness' })]);
  }

  /** Does the process do its work now? */
  @Get('ready')
  @HealthCheck()
  ready() {
    return this.health.check([() => this.tasks.engine(), () => this.tasks.consuming()]);
  }

  /** Does a person have to look? */
  @Get('tasks')
  @HealthCheck()
  monitoring() {
    return this.health.check([
      () => this.tasks.backlog({ queue: 'mail', max: 10_000, maxAge: '5m' }),
      () => this.tasks.schedules({ maxLag: '1m' }),
    ]);
  }
}
