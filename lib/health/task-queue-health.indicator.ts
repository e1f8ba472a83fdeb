import { Inject, Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { BoundedReads } from '../bounded-reads.js';
import { parseDuration, parseTimerDuration, type Duration } from '../duration.js';
import { problemOfEngine } from '../engine-problem.js';
import type { Engine } from '../engine/engine.js';
import { SILENCE_LIMIT } from '../engine/ports/worker-registry.js';
import { isInternalQueue, isQueueName } from '../engine/task-id.js';
import { ConfigurationError } from '../errors.js';
import { ScheduleLag } from '../schedules/schedule-lag.js';
import { ENGINE } from '../task-queue-tokens.js';
import { problemElsewhere, problemHere, type Problem } from '../workers/consumption.js';
import { TaskWorkers } from '../workers/task-workers.js';
import type {
  BacklogOptions,
  ConsumingOptions,
  EngineOptions,
  ProbeOptions,
  SchedulesOptions,
} from './health-options.js';
import { pingShards } from './ping-shards.js';

const DEFAULT_TIMEOUT = '2s';
const DEFAULT_LAG = '1m';
/** Schedules that one answer names. */
const MOST_NAMES = 10;

type Result = HealthIndicatorResult;
type Data = Record<string, unknown>;

/**
 * Health checks of background tasks for `@nestjs/terminus`. Each method answers in a bounded time, opens no connection, and shows no
 * address of a server: probes are often public.
 *
 * Which one for which probe: `consuming({ probe: 'liveness' })` for the liveness of a worker; `engine()` and `consuming()` for
 * readiness; `backlog()` and `schedules()` for monitoring, because neither a restart nor a pause of the traffic mends them.
 *
 * @example
 * ```ts
 * @Controller('health')
 * export class HealthController {
 *   constructor(
 *     private readonly health: HealthCheckService,
 *     private readonly tasks: TaskQueueHealthIndicator,
 *   ) {}
 *
 *   @Get('ready')
 *   @HealthCheck()
 *   ready() {
 *     return this.health.check([() => this.tasks.engine(), () => this.tasks.consuming()]);
 *   }
 * }
 * ```
 */
@Injectable()
export class TaskQueueHealthIndicator {
  readonly #reads = new BoundedReads();
  readonly #deps: {
    readonly indicators: HealthIndicatorService;
    readonly engine: Engine;
    readonly workers: TaskWorkers;
    readonly lag: ScheduleLag;
  };
  /** When a probe last found that the engine does not answer, by `performance.now()`. */
  #unreachableAt = -Infinity;

  /** @internal */
  constructor(
    @Inject(HealthIndicatorService) indicators: HealthIndicatorService,
    @Inject(ENGINE) engine: Engine,
    @Inject(TaskWorkers) workers: TaskWorkers,
    @Inject(ScheduleLag) lag: ScheduleLag,
  ) {
    this.#deps = { indicators, engine, workers, lag };
  }

  /**
   * Whether the engine answers, on a connection that the application has open anyway. Down also when the engine answers and refuses
   * other calls, for example because it has become read-only. With the option `shards` of the module, every shard has to answer, or
   * those that the probe names.
   *
   * @returns `latency`: milliseconds until the answer; `shards`, if there are several: `'up'` for each shard, or why it is not
   * @throws ConfigurationError for a shard that does not exist
   * @example () => this.tasks.engine()
   */
  engine(options: EngineOptions = {}): Promise<Result> {
    return this.#probe('tasks.engine', options, async (timeout) => {
      const begun = performance.now();
      const { shards } = this.#deps.engine;
      const states =
        shards.length > 1 || options.shards
          ? await pingShards(shards, options.shards, (shard) =>
              this.#reads.read(`ping ${shard.name}`, timeout, () => shard.ping()),
            )
          : await this.#ping(timeout);
      if (states && Object.values(states).some((state) => state !== 'up')) throw new Unhealthy({ shards: states });
      return { latency: Math.round(performance.now() - begun), ...(states && { shards: states }) };
    });
  }

  /**
   * Whether tasks are taken from queues. That a process runs and is connected is not enough: the engine has to have answered a
   * request for a task in the last 30 seconds (`within`), unless all places of the queue are taken. A paused queue is consumed.
   *
   * @returns `queues`: `'up'` for each queue, or why it is not consumed
   * @example () => this.tasks.consuming({ queues: ['mail', 'reports'] })
   */
  consuming(options: ConsumingOptions = {}): Promise<Result> {
    const limit = durationOf(options.within ?? SILENCE_LIMIT, 'consuming', 'within');
    const isLiveness = options.probe === 'liveness';
    return this.#probe('tasks.consuming', options, async (timeout) => {
      const silence = this.#deps.workers.silence();
      const names = options.queues ?? [...silence.keys()];
      const problems = new Map(names.map((name) => [name, problemHere(silence.get(name) ?? 0, limit)]));
      if (isLiveness) {
        if (this.#deps.workers.isClosing) return { queues: statesOf(problems), message: 'The application closes.' };
        const outage = hasProblem(problems) ? await this.#outage(timeout) : undefined;
        if (outage !== undefined) return { queues: statesOf(problems), message: `${outage} A restart would not help.` };
        const since = performance.now() - this.#unreachableAt;
        for (const name of names) problems.set(name, problemHere(Math.min(silence.get(name) ?? 0, since), limit));
      }
      const elsewhere = names.filter((name) => !silence.has(name));
      if (elsewhere.length > 0) await this.#addElsewhere(problems, elsewhere, timeout, isLiveness);
      if (hasProblem(problems)) throw new Unhealthy({ queues: statesOf(problems) });
      return { queues: statesOf(problems) };
    });
  }

  /**
   * Whether the tasks of a queue start soon enough. Down when more than `max` tasks wait for a worker, or the first of them has been
   * waiting for longer than `maxAge`. Tasks whose time has not come do not count.
   *
   * @returns `queued`: the number of tasks that wait; `oldestAge`: milliseconds since the first of them could start, 0 without one
   * @throws ConfigurationError without a limit, and for a value that is not valid
   * @example () => this.tasks.backlog({ queue: 'mail', max: 10_000, maxAge: '5m' })
   */
  backlog(options: BacklogOptions): Promise<Result> {
    const { queue, max = Infinity } = options;
    if (typeof queue !== 'string' || !isQueueName(queue)) throw invalid('backlog', 'queue', queue, 'a name of a queue');
    if (options.max === undefined && options.maxAge === undefined)
      throw new ConfigurationError('backlog() has no limit. Give max, maxAge or both.');
    if (!(typeof max === 'number' && max >= 0)) throw invalid('backlog', 'max', max, 'a number from 0');
    const maxAge = options.maxAge === undefined ? Infinity : durationOf(options.maxAge, 'backlog', 'maxAge');
    return this.#probe(`tasks.backlog.${queue}`, options, async (timeout) => {
      const { engine } = this.#deps;
      const read = () => engine.lists.figures([queue]);
      const [figures] = await this.#reads.read(`figures of ${queue}`, timeout, read);
      const queued = figures?.sizes.queued ?? 0;
      const since = figures?.queuedSince ?? null;
      const oldestAge = since === null ? 0 : Math.max(Math.round(engine.now() - since), 0);
      const data = { queued, oldestAge, ...(figures?.isPaused && { paused: true }) };
      if (queued > max) throw new Unhealthy({ ...data, message: `${queued} tasks wait; at most ${max} may.` });
      if (oldestAge > maxAge)
        throw new Unhealthy({
          ...data,
          message: `The first task waits for ${oldestAge} ms; at most ${maxAge} ms it may.`,
        });
      return data;
    });
  }

  /**
   * Whether the runs of schedules are enqueued in time. Down when a run is late by more than `maxLag`, and when a schedule is broken.
   * Paused schedules and missed runs, which `catchUp` is about, are not late.
   *
   * @returns `lag`: the largest delay in milliseconds
   * @example () => this.tasks.schedules({ maxLag: '5m' })
   */
  schedules(options: SchedulesOptions = {}): Promise<Result> {
    const maxLag = durationOf(options.maxLag ?? DEFAULT_LAG, 'schedules', 'maxLag');
    return this.#probe('tasks.schedules', options, async (timeout) => {
      const { late, broken } = await this.#reads.read('schedules', timeout, () => this.#deps.lag.read());
      const data = { lag: Math.round(late[0]?.delay ?? 0) };
      const tooLate = late.filter(({ delay }) => delay > maxLag).map(({ id }) => id);
      if (tooLate.length > 0) throw new Unhealthy({ ...data, late: tooLate.slice(0, MOST_NAMES) });
      if (broken.length > 0) throw new Unhealthy({ ...data, broken: broken.slice(0, MOST_NAMES) });
      return data;
    });
  }

  /** Runs a check, and makes a result of what it returns or throws. */
  async #probe(defaultKey: string, options: ProbeOptions, check: (timeout: number) => Promise<Data>): Promise<Result> {
    const indicator = this.#deps.indicators.check(options.key ?? defaultKey);
    const timeout = parseTimerDuration(options.timeout ?? DEFAULT_TIMEOUT, 'timeout of the probe');
    try {
      return indicator.up(await check(timeout));
    } catch (error) {
      if (error instanceof Unhealthy) return indicator.down(error.data);
      const problem = problemOfEngine(error);
      if (problem === undefined) throw error;
      return indicator.down(problem);
    }
  }

  async #addElsewhere(
    problems: Map<string, Problem>,
    queues: readonly string[],
    timeout: number,
    isLiveness: boolean,
  ): Promise<void> {
    const { engine } = this.#deps;
    try {
      const workers = await this.#reads.read('workers', timeout, () => engine.workers.list());
      for (const queue of queues) problems.set(queue, problemElsewhere(queue, workers, engine.now()));
    } catch (error) {
      if (!isLiveness || problemOfEngine(error) === undefined) throw error;
    }
  }

  /** The reason why the engine does not serve this process; `undefined` when the engine serves it. */
  async #outage(timeout: number): Promise<string | undefined> {
    try {
      await this.#ping(timeout);
      return undefined;
    } catch (error) {
      const problem = problemOfEngine(error);
      if (problem === undefined) throw error;
      this.#unreachableAt = performance.now();
      return problem;
    }
  }

  #ping(timeout: number): Promise<void> {
    return this.#reads.read('ping', timeout, () => this.#deps.engine.ping());
  }
}

/** A check that failed, with what the answer says about it. */
class Unhealthy extends Error {
  constructor(readonly data: Data) {
    super();
  }
}

function hasProblem(problems: ReadonlyMap<string, Problem>): boolean {
  return [...problems.values()].some((problem) => problem !== undefined);
}

/** The queues of the package itself are worth a word only when they are not consumed. */
function statesOf(problems: ReadonlyMap<string, Problem>): Record<string, string> {
  const shown = [...problems].filter(([name, problem]) => problem !== undefined || !isInternalQueue(name));
  return Object.fromEntries(shown.map(([name, problem]) => [name, problem ?? 'up']));
}

function durationOf(value: Duration, method: string, option: string): number {
  return parseDuration(value, `${option} of ${method}()`);
}

function invalid(method: string, option: string, value: unknown, expected: string): ConfigurationError {
  return new ConfigurationError(
    `${option} of ${method}() is ${JSON.stringify(value) ?? String(value)}. Give ${expected}.`,
  );
}
