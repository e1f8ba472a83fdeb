export { TaskQueueModule, type TaskQueueAsyncOptions } from './task-queue.module.js';
export type { QueueOptions, Role, TaskQueueOptions } from './task-queue-options.js';
export type { ShardOptions } from './shard-options.js';
export type { Duration } from './duration.js';
export { Task, TaskProcessor } from './tasks/task.decorator.js';
export type { BatchCall, BatchOptions, TaskBatch } from './tasks/task-batch.js';
export { defineTask, type TaskContract } from './tasks/task-contract.js';
export type { BackoffOption, EnqueueOptions, TaskOptions } from './tasks/task-options.js';
export type { IsolateOptions } from './tasks/task-isolation.js';
export type { IsolationOptions } from './isolation/isolation-options.js';
export type { MemorySize } from './memory-size.js';
export { getTasksToken, InjectTasks } from './producers/inject-tasks.decorator.js';
export { TaskQueue } from './producers/task-queue.js';
export { TaskProducer } from './producers/task-producer.js';
export { type ProducerOf, Tasks } from './producers/tasks.js';
export type { JsonInput, JsonOf } from './producers/json-types.js';
export { Schedule } from './schedules/schedule.decorator.js';
export type { ScheduleOptions, SchedulePolicy, ScheduleSettings } from './schedules/schedule-options.js';
export type { ScheduledRun, ScheduleStatus, SkippedRun } from './schedules/schedule-status.js';
export { TaskSchedules } from './schedules/task-schedules.js';
export type { TransactionLike } from './transactions/transaction-adapter.js';
export type { TransactionAdapter } from './engine/ports/transaction-port.js';
export { chain, chord, group, type Collected, type ResultOf } from './workflows/chain-group-chord.js';
export { Signature, TaskError } from './workflows/signature.js';
export { TaskContext, type TaskLogFields } from './workers/task-context.js';
export { TaskLogger } from './workers/task-logger.js';
export { TaskArg } from './workers/enhancers/task-arg.decorator.js';
export { getTaskContext, type TaskContextType } from './workers/enhancers/task-execution-context.js';
export type { HttpOptions, HttpRequest } from './http/http-options.js';
export { ChildHandle, TaskHandle } from './results/task-handle.js';
export { OnTask, type TaskEventFilter } from './events/on-task.decorator.js';
export type { TaskEvent, TaskEventError, TaskEventType } from './events/task-event.js';
export type { TaskStatus } from './results/task-status.js';
export type { BlockReason, TaskState } from './engine/task.js';
export { TaskAdmin } from './admin/task-admin.js';
export type { FollowLogOptions, LogOptions, TaskLogLine } from './admin/task-log-reader.js';
export type { LogLevel } from './engine/log-line.js';
export type { QueueCounts, QueueInfo } from './admin/queue-overview.js';
export type { ShardInfo } from './admin/shard-info.js';
export type { ErrorGroup, ErrorGroups, ErrorsOptions } from './admin/error-groups.js';
export type { StoredOptions, TaskDetails, TaskMember } from './admin/task-details.js';
export type { TaskFilter } from './admin/task-filter.js';
export type { TaskOrder } from './admin/lists-of-state.js';
export type { TaskPage } from './admin/task-page.js';
export type { TaskAttempt } from './admin/task-attempt.js';
export type { AttemptOutcome } from './engine/attempt.js';
export type { AdminAct } from './admin/admin-act.js';
export { OnAdmin } from './admin/on-admin.decorator.js';
export type { ActOptions } from './admin/act-options.js';
export type { QueueSetting, QueueSettingsInfo, SettingReason } from './admin/queue-setting.js';
export type { ShutdownOptions } from './admin/worker-shutdown.js';
export type { BulkResult } from './admin/bulk/bulk-tally.js';
export type { CallChange } from './producers/call-change.js';
export type { Percentiles, StatsOptions, TaskStats } from './admin/task-stats.js';
export type { StatsByOptions, StatsGroup } from './admin/statistics-groups.js';
export type { WorkflowGraph, WorkflowTask } from './admin/workflow-graph.js';
export type { WorkerInfo } from './admin/worker-info.js';
export {
  ActRefusedError,
  ConfigurationError,
  DuplicateTaskError,
  EngineUnavailableError,
  IdempotencyConflictError,
  InvalidArgumentsError,
  NotSerializableError,
  PayloadTooLargeError,
  QueueFullError,
  ResultTimeoutError,
  RetryRefusedError,
  SelfWaitError,
  ScheduleNotFoundError,
  TaskCancelledError,
  TaskExpiredError,
  TaskFailedError,
  TaskNotFoundError,
  TaskQueueError,
  TaskTimeoutError,
  UnknownTaskError,
  UnreadableTaskError,
  WorkerClosingError,
  WorkerLostError,
  WorkerNotFoundError,
  WorkflowFailedError,
} from './errors.js';
