export { TaskQueueHealthIndicator } from './task-queue-health.indicator.js';
export { TaskQueueHealthModule } from './task-queue-health.module.js';
export type {
  BacklogOptions,
  ConsumingOptions,
  EngineOptions,
  ProbeOptions,
  SchedulesOptions,
} from './health-options.js';
