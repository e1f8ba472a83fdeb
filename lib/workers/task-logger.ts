import { ConsoleLogger, type ConsoleLoggerOptions } from '@nestjs/common';
import type { TaskContext } from './task-context.js';

/** The context under which this package logs. Its lines name their tasks themselves. */
const OWN_CONTEXT = 'TaskQueue';

/**
 * Nest's logger, whose lines name the task that writes them: `[ReportTasks] [ReportTasks.build default.3fJ…] Rendering`. With the option
 * `json`, each line of a task has the fields `task`, `taskId` and `attempt`. That holds for the lines of `Logger` in the method of the
 * task and in all code that it calls and awaits. Other lines stay as they are.
 *
 * For another logger, such as pino, use `TaskContext.logFields()`.
 *
 * @example
 * ```ts
 * const app = await NestFactory.create(AppModule, { bufferLogs: true });
 * app.useLogger(new TaskLogger(app.get(TaskContext), { json: true }));
 * ```
 */
export class TaskLogger extends ConsoleLogger {
  readonly #task: TaskContext;

  /**
   * @param task the application's own: `app.get(TaskContext)`
   * @param options those of Nest's `ConsoleLogger`
   */
  constructor(task: TaskContext, options: ConsoleLoggerOptions = {}) {
    super(options);
    this.#task = task;
  }

  /** The part of a line of text before its message. */
  protected override formatContext(context: string): string {
    const before = super.formatContext(context);
    const { task, taskId } = this.#task.logFields();
    return task === undefined || context === OWN_CONTEXT ? before : `${before}[${task} ${taskId}] `;
  }

  /** The fields of a line of JSON. */
  protected override getJsonLogObject(
    ...line: Parameters<ConsoleLogger['getJsonLogObject']>
  ): ReturnType<ConsoleLogger['getJsonLogObject']> {
    return { ...super.getJsonLogObject(...line), ...this.#task.logFields() };
  }
}
