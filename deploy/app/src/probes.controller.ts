import { Controller, Get } from '@nestjs/common';
import { HealthCheck, HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import { TaskQueueHealthIndicator } from 'nestjs-task-queue/health';

/** The probes of the web. Those of the workers are on the port of the worker command. */
@Controller('health')
export class ProbesController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly tasks: TaskQueueHealthIndicator,
  ) {}

  /** Would a restart help? It would when this request has no answer. */
  @Get('live')
  live(): string {
    return 'live';
  }

  /** Can this process take orders now? */
  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.tasks.engine()]);
  }
}
