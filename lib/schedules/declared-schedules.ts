import { ConfigurationError } from '../errors.js';
import type { TaskDefinition } from '../tasks/task-definition.js';
import type { TaskExplorer } from '../tasks/task-explorer.js';
import type { TaskOptions } from '../tasks/task-options.js';
import type { TaskTemplate } from '../tasks/task-template.js';
import { refuseUnknown, type FieldsOf } from '../option-fields.js';
import { checkArguments, checkScheduleId, checkSettings } from './check-settings.js';
import type { DeclaredSchedule } from './reconcile.js';
import { schedulesOf, type ScheduleDeclaration } from './schedule.decorator.js';
import type { ScheduleOptions } from './schedule-options.js';
import type { Timing } from './timetable.js';

const TIMING: FieldsOf<Required<Timing>> = { cron: true, every: true };
const OPTIONS: FieldsOf<ScheduleOptions> = { id: true, timezone: true, args: true, overlap: true, catchUp: true };

interface Declared {
  readonly origin: string;
  readonly schedule: DeclaredSchedule;
  readonly formerIds: readonly string[];
}

/** The schedules that this application declares by `@Schedule()`. */
export class DeclaredSchedules {
  private readonly byId = new Map<string, Declared>();
  /** The methods whose schedules are read, by the provider of their class. */
  private readonly read = new WeakMap<object, Set<string>>();

  constructor(
    private readonly explorer: TaskExplorer,
    private readonly defaults: TaskOptions,
    /** The call that a schedule of this task enqueues. */
    private readonly template: (task: string, args: readonly unknown[]) => Promise<TaskTemplate>,
  ) {}

  /**
   * Reads the decorators that are not read yet. To be called after all tasks are registered: when the application
   * starts, and when a module was loaded later.
   *
   * @throws ConfigurationError naming class and method, when a schedule is not valid
   */
  async load(): Promise<void> {
    const withoutTask = new Set<string>();
    for (const { provider, type, definitions } of this.explorer.classes(this.defaults)) {
      const read = this.read.get(provider) ?? new Set();
      this.read.set(provider, read);
      for (const [method, declarations] of schedulesOf(type)) {
        if (read.has(method)) continue;
        const origin = `${type.name}.${method}`;
        const definition = definitions.get(method);
        if (!definition) {
          withoutTask.add(origin);
          continue;
        }
        read.add(method);
        withoutTask.delete(origin);
        await this.add(definition, declarations, origin);
      }
    }
    for (const origin of withoutTask) {
      throw new ConfigurationError(`${origin} has a @Schedule() but is not a task. Decorate it with @Task() too.`);
    }
  }

  list(): DeclaredSchedule[] {
    return Array.from(this.byId.values(), ({ schedule }) => schedule);
  }

  has(id: string): boolean {
    return this.byId.has(id);
  }

  /** The ids that a schedule without an id of its own had under the earlier names of its task. */
  formerIdsOf(id: string): readonly string[] {
    return this.byId.get(id)?.formerIds ?? [];
  }

  private async add(
    definition: TaskDefinition,
    declarations: readonly ScheduleDeclaration[],
    origin: string,
  ): Promise<void> {
    let unnamed = 0;
    for (const { when, options } of declarations) {
      const what = `@Schedule(${JSON.stringify(when)}) of ${origin}`;
      refuseUnknown<ScheduleOptions>(options, OPTIONS, (name) => `${name} of ${what}`);
      const { args = [] } = options;
      const place = options.id === undefined ? ++unnamed : 0;
      const id = options.id ?? idOf(definition.name, place);
      const formerIds = options.id === undefined ? definition.aliases.map((alias) => idOf(alias, place)) : [];
      checkArguments(args, what);
      const other = this.byId.get(checkScheduleId(id, what));
      if (other) {
        throw new ConfigurationError(
          `Two schedules have the id "${id}", of ${other.origin} and of ${origin}. Give one of them another id: @Schedule(…, { id }).`,
        );
      }
      if (typeof when === 'object') refuseUnknown<Timing>(when, TIMING, (name) => `${name} of ${what}`);
      const settings = checkSettings(typeof when === 'object' ? when : { cron: when }, options, what);
      const template = await this.template(definition.name, args).catch((error: Error) => {
        throw new ConfigurationError(`${what}: ${error.message}`, { cause: error });
      });
      this.byId.set(id, { origin, schedule: { id, source: 'decorator', ...settings, template }, formerIds });
    }
  }
}

/** The id of a schedule that names none. @param place its place among those of its task, from 1 */
function idOf(task: string, place: number): string {
  return place === 1 ? task : `${task}#${place}`;
}
