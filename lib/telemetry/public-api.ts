export { TaskTelemetryModule, type TaskTelemetryOptions } from './task-telemetry.module.js';
