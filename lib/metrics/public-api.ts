export { TaskMetricsModule, type TaskMetricsAsyncOptions } from './task-metrics.module.js';
export { TaskMetrics } from './task-metrics.js';
export type { TaskMetricsExtras, TaskMetricsOptions } from './metrics-options.js';
