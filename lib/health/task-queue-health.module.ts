import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { TaskQueueHealthIndicator } from './task-queue-health.indicator.js';

/**
 * Provides the {@link TaskQueueHealthIndicator}. Import it beside the `TerminusModule`, in the module of the controller that
 * answers the probes. A module that imports `TerminusModule` can also name the indicator among its own providers.
 *
 * @example
 * ```ts
 * @Module({ imports: [TerminusModule, TaskQueueHealthModule], controllers: [HealthController] })
 * export class HealthModule {}
 * ```
 */
@Module({ imports: [TerminusModule], providers: [TaskQueueHealthIndicator], exports: [TaskQueueHealthIndicator] })
export class TaskQueueHealthModule {}
