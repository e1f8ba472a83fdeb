export { TaskDashboardModule } from './task-dashboard.module.js';
export type {
  DashboardRequest,
  TaskDashboardAsyncOptions,
  TaskDashboardOptions,
  TaskDashboardSettings,
} from './dashboard-options.js';
