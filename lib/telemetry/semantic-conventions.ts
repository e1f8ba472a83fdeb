/**
 * Names of attributes. Those of OpenTelemetry's conventions for messaging are written here and not imported, because the conventions
 * are in development: an update of a package must not rename what dashboards of applications read.
 */

/** The value of {@link MESSAGING_SYSTEM}. */
export const SYSTEM = 'nestjs-task-queue';

// https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
export const MESSAGING_SYSTEM = 'messaging.system';
/** `enqueue` or `run`. */
export const OPERATION_NAME = 'messaging.operation.name';
/** `send` or `process`. */
export const OPERATION_TYPE = 'messaging.operation.type';
/** The queue. Absent on a span of tasks of several queues. */
export const DESTINATION = 'messaging.destination.name';
/** The id of the task. Absent on a span of several tasks. */
export const MESSAGE_ID = 'messaging.message.id';
/** The id of the workflow that the task belongs to. */
export const CONVERSATION_ID = 'messaging.message.conversation_id';
/** The number of tasks that a bulk or a workflow stored. */
export const MESSAGE_COUNT = 'messaging.batch.message_count';
/** The code of the error, or its name. */
export const ERROR_TYPE = 'error.type';

/** The name of the task. */
export const TASK = 'task_queue.task';
/** The number of the attempt, 1 for the first. */
export const ATTEMPT = 'task_queue.attempt';
/** How the attempt ended: `succeeded`, `failed`, `retry`, `postponed`, `replaced`, `cancelled` or `expired`. */
export const OUTCOME = 'task_queue.outcome';
/** An earlier task stands for the call. */
export const DEDUPLICATED = 'task_queue.deduplicated';
/** The id of the schedule that enqueued the task, or a task from which it comes. */
export const SCHEDULE = 'task_queue.schedule';
