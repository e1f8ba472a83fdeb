import type { TaskAdmin } from '../../admin/task-admin.js';
import { TaskLists, type ListedTask } from '../../admin/task-lists.js';
import { shapeOf } from '../../admin/error-fingerprint.js';
import { maskText } from '../../admin/mask-secrets.js';
import { problemsOf } from '../../admin/problems.js';
import type { TaskFilter } from '../../admin/task-filter.js';
import type { TaskStats } from '../../admin/task-stats.js';
import { inBatches } from '../../concurrency.js';
import type { Engine } from '../../engine/engine.js';
import type { Json } from '../../engine/json.js';
import { InvalidArgumentsError, ScheduleNotFoundError, TaskNotFoundError } from '../../errors.js';
import type { TaskResults } from '../../results/task-results.js';
import { toStatus, type TaskStatus } from '../../results/task-status.js';
import type { ScheduledRun, ScheduleStatus } from '../../schedules/schedule-status.js';
import type { TaskSchedules } from '../../schedules/task-schedules.js';
import type { DepthHistory } from '../depth/depth-history.js';
import { SPANS } from '../depth/spans.js';
import { SharedReads } from '../shared-reads.js';
import type {
  Errors,
  Graph,
  LogLines,
  Overview,
  Schedules,
  Series,
  Span,
  TaskRow,
  TaskRows,
  TaskView,
} from './api-types.js';
import { agoOf, filterOf, numberOf, type Query } from './query.js';
import { dayOf } from './schedule-day.js';
import { valueAt, ValueView } from './shown-value.js';

export interface ReadsDeps {
  readonly admin: TaskAdmin;
  readonly schedules: TaskSchedules;
  readonly results: Pick<TaskResults, 'find' | 'withBlock'>;
  readonly engine: Pick<Engine, 'now' | 'lists' | 'workers' | 'missingShards'>;
  readonly shared: SharedReads;
  readonly depth: DepthHistory;
  readonly redact: ((path: string, value: unknown) => unknown) | undefined;
}

/** The most schedules of one view. */
const MOST_SCHEDULES = 500;
/** Milliseconds for which the list of broken schedules counts as fresh. */
const SCHEDULES_FRESH = 15_000;
const PAGE_SIZE = 50;
/** The most names of tasks with figures of their own. */
const MOST_NAMES = 12;
/** The steps of the histogram of an error. */
const ERROR_STEPS = 48;
/** The most errors of one view. */
const MOST_ERRORS = 200;
/** The runs of a schedule in the list, and the schedules that have them: the first ones. */
const RECENT_RUNS = 10;
const WITH_RECENT = 100;
/** The longest message of an error in a list. */
const SHORT_MESSAGE = 300;

/** Everything that the page shows. Equal requests within a second share one read of the store. */
export class Reads {
  private readonly slow = new SharedReads(SCHEDULES_FRESH);

  private readonly lists: TaskLists;

  constructor(private readonly deps: ReadsDeps) {
    this.lists = new TaskLists(deps.engine);
  }

  /** @param age milliseconds that the answer may be old, for a view that soon reads it again. Default: it is fresh */
  overview(age = 0): Promise<Overview> {
    return this.deps.shared.recent('overview', () => this.readOverview(), age);
  }

  /** @param age milliseconds that the answer may be old, for a view that soon reads it again. Default: it is fresh */
  series(query: Query, age = 0): Promise<Series> {
    const span = (query['span'] ?? 'hour') as Span;
    if (!Object.hasOwn(SPANS, span))
      throw new InvalidArgumentsError(`span is ${JSON.stringify(span)}. Give hour, day or week.`);
    const queue = query['queue'];
    const read = async (): Promise<Series> => {
      const { admin, engine, depth } = this.deps;
      const { length, step } = SPANS[span];
      const to = engine.now();
      const range = { ...(queue !== undefined && { queue }), from: to - length, to, step } as const;
      const [points, queues, names, before] = await Promise.all([
        admin.stats(range),
        admin.statsBy('queue', range),
        admin.statsBy('name', { ...range, limit: MOST_NAMES }),
        admin.stats({ ...range, from: to - 2 * length, to: to - length }),
      ]);
      const depths = depth.read(
        span,
        points.map(({ at }) => Date.parse(at)),
        queue,
      );
      return { span, step, points, depth: depths, queues, names, before: sumOf(before) };
    };
    return this.deps.shared.recent(JSON.stringify(['series', span, queue]), read, age);
  }

  /**
   * The filter of an address. A search in arguments would find what `redact` hides, so there is none beside it.
   *
   * @throws InvalidArgumentsError
   */
  filter(query: Query): TaskFilter {
    if (query['args'] === undefined || !this.deps.redact) return filterOf(query, this.now());
    throw new InvalidArgumentsError(
      'args: arguments cannot be searched, because the option redact of TaskDashboardModule hides some of them. Search by name, header or time.',
    );
  }

  async tasks(query: Query): Promise<TaskRows> {
    const { cursor, ...others } = query;
    const limit = numberOf(query, 'limit', [1, 200]) ?? PAGE_SIZE;
    const filter = this.filter(others);
    const key = JSON.stringify(['tasks', query]);
    return this.deps.shared.get(key, async () => {
      const { redact } = this.deps;
      const page = await this.lists.page(filter, { limit, ...(cursor !== undefined && { cursor }) });
      return {
        ...page,
        headers: namesOfHeaders(page.items),
        items: page.items.map(({ record, args }) => ({
          ...this.row(toStatus(record)),
          args: ValueView.line(args(), redact),
        })),
      };
    });
  }

  async task(id: string): Promise<TaskView> {
    return this.deps.shared.get(JSON.stringify(['task', id]), async () => {
      const { admin, redact, results } = this.deps;
      const details = await admin.task(id);
      const { args, headers, result, progress, attempts, error, ...others } = details;
      const record = details.state === 'queued' ? await results.find(id) : undefined;
      const block = record && toStatus(await results.withBlock(record));
      const report = progress !== null && progressOf(progress) === null ? progress : null;
      return {
        ...others,
        ...(block && {
          blockedBy: block.blockedBy,
          position: block.position,
          estimatedStart: block.estimatedStart,
        }),
        args: ValueView.of('args', [...args], redact),
        headers: ValueView.of('headers', { ...headers }, redact),
        result: details.state === 'succeeded' ? ValueView.of('result', (result ?? null) as Json, redact) : null,
        report: report === null ? null : ValueView.of('progress', report, redact),
        progress: this.row(details).progress,
        error: error && maskError(error),
        attempts: attempts.map((attempt) => ({ ...attempt, error: attempt.error && maskError(attempt.error) })),
        fingerprint: error ? shapeOf(error).fingerprint : null,
      };
    });
  }

  /** A whole value of which {@link task} gave a part: `in` is `args`, `result`, `progress` or `headers`, `at` a JSON pointer. */
  async value(id: string, query: Query): Promise<{ readonly value: Json }> {
    const { in: part = 'args', at = '' } = query;
    const details = await this.deps.admin.task(id);
    const parts: Readonly<Record<string, Json>> = {
      args: [...details.args],
      headers: { ...details.headers },
      result: (details.result ?? null) as Json,
      progress: details.progress,
    };
    const whole = Object.hasOwn(parts, part) ? parts[part] : undefined;
    // Masked as a whole first: a part of a masked value stays masked.
    const shown = whole === undefined ? undefined : ValueView.of(part, whole, this.deps.redact, true).value;
    const value = shown === undefined ? undefined : valueAt(shown, at);
    if (value === undefined) throw new InvalidArgumentsError(`There is no value at ${JSON.stringify(part + at)}.`);
    return { value };
  }

  async logs(id: string, query: Query): Promise<LogLines> {
    const after = numberOf(query, 'after', [0, Number.MAX_SAFE_INTEGER]) ?? 0;
    return this.deps.shared.get(JSON.stringify(['logs', id, after]), async () => {
      const lines = await this.deps.admin.logs(id, { after, limit: 1_000 });
      return { lines: lines.map((line) => ({ ...line, text: maskText(line.text) })) };
    });
  }

  async errors(query: Query): Promise<Errors> {
    const { queue, since, text = '' } = query;
    const from = since === undefined ? undefined : this.now() - agoOf(since);
    const found = await this.deps.shared.get(JSON.stringify(['errors', queue, since]), async () => {
      const groups = await this.deps.admin.errors({ queue, since: from, limit: 1_000, steps: ERROR_STEPS });
      return {
        ...groups,
        items: groups.items.map((group) => ({
          ...group,
          message: maskText(group.message),
          example: { ...group.example, message: maskText(group.example.message) },
        })),
      };
    });
    // A search reads what is shown, so it cannot find what is masked.
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const items = found.items.filter((group) => {
      const shown = [group.name, group.message, group.example.message, ...group.tasks].join(' ').toLowerCase();
      return words.every((word) => shown.includes(word));
    });
    return { ...found, items: items.slice(0, MOST_ERRORS) };
  }

  async workflow(id: string): Promise<Graph> {
    return this.deps.shared.get(JSON.stringify(['workflow', id]), async () => {
      const graph = await this.deps.admin.workflow(id, { limit: 400 });
      return {
        ...graph,
        tasks: graph.tasks.map((task) => ({ ...task, status: task.status && this.row(task.status) })),
      };
    });
  }

  async schedules(): Promise<Schedules> {
    return this.deps.shared.get('schedules', async () => {
      const { schedules, engine, redact } = this.deps;
      const found = await schedules.list({ limit: MOST_SCHEDULES + 1 });
      const recent = await inBatches(found.slice(0, WITH_RECENT), RECENT_RUNS, ({ id }) => this.recentRuns(id));
      const now = engine.now();
      return {
        at: new Date(now).toISOString(),
        items: found.slice(0, MOST_SCHEDULES).map((schedule, place) => ({
          ...schedule,
          lastRun: schedule.lastRun && maskRun(schedule.lastRun),
          ...(recent[place] && { recent: recent[place] }),
          args: ValueView.of('args', [...schedule.args], redact),
          day: dayOf(schedule, now),
        })),
        complete: found.length <= MOST_SCHEDULES,
      };
    });
  }

  /** The status of a task for a list or an event. */
  row({ progress, error, ...status }: TaskStatus): TaskRow {
    const short = error && { ...error, message: maskText(error.message).slice(0, SHORT_MESSAGE) };
    const { redact } = this.deps;
    // A copy: the application's own handles have the same progress, and a function may change what it gets.
    const shown =
      progress === null || !redact ? progress : ValueView.of('progress', structuredClone(progress), redact).value;
    return { ...status, error: short, progress: progressOf(shown), result: undefined };
  }

  async status(id: string): Promise<TaskRow> {
    const record = await this.deps.results.find(id);
    if (!record) throw new TaskNotFoundError(id);
    return this.row(toStatus(record));
  }

  /** The time of the store's clock. */
  now(): number {
    return this.deps.engine.now();
  }

  private async readOverview(): Promise<Overview> {
    const { admin, engine, depth } = this.deps;
    const [queues, workers, schedules] = await Promise.all([admin.queues(), admin.workers(), this.scheduleStates()]);
    const now = engine.now();
    depth.note(queues, now);
    const shards = engine.missingShards().map((name) => ({ name, reachable: false, error: null }));
    const problems = problemsOf({ shards, queues, workers, schedules, now });
    return { at: new Date(now).toISOString(), queues, workers, problems };
  }

  private recentRuns(id: string): Promise<ScheduledRun[]> {
    return this.slow.get(JSON.stringify(['runs', id]), async () => {
      try {
        return (await this.deps.schedules.runs(id, { limit: RECENT_RUNS })).map((run) => maskRun(run));
      } catch (error) {
        // Another request has just removed it.
        if (error instanceof ScheduleNotFoundError) return [];
        throw error;
      }
    });
  }

  private scheduleStates(): Promise<ScheduleStatus[]> {
    return this.slow.get('schedules', () => this.deps.schedules.list({ limit: MOST_SCHEDULES }));
  }
}

function namesOfHeaders(items: readonly ListedTask[]): string[] {
  return [...new Set(items.flatMap(({ record }) => Object.keys(record.headers)))].toSorted();
}

function maskRun(run: ScheduledRun): ScheduledRun {
  return { ...run, error: run.error && maskError(run.error) };
}

/** The progress of a task that reports `{ current, total, message? }`. */
function progressOf(progress: Json | null): TaskRow['progress'] {
  if (typeof progress === 'number') return { current: progress, total: 100, isEstimate: false, message: null };
  if (typeof progress !== 'object' || progress === null || Array.isArray(progress)) return null;
  const { current, total, isEstimate, message } = progress as Readonly<Record<string, Json | undefined>>;
  if (typeof current !== 'number') return null;
  return {
    current,
    total: typeof total === 'number' ? total : null,
    isEstimate: isEstimate === true,
    message: typeof message === 'string' ? maskText(message).slice(0, SHORT_MESSAGE) : null,
  };
}

function maskError<E extends { readonly message: string; readonly stack?: string }>(error: E): E {
  return {
    ...error,
    message: maskText(error.message),
    ...(error.stack !== undefined && { stack: maskText(error.stack) }),
  };
}

function sumOf(points: readonly TaskStats[]): Series['before'] {
  const sum = { enqueued: 0, succeeded: 0, failed: 0, retried: 0 };
  for (const point of points) for (const count of Object.keys(sum) as (keyof typeof sum)[]) sum[count] += point[count];
  return sum;
}
