import type { CanActivate, DynamicModule, ForwardReference, Type } from '@nestjs/common';
import type { Registry } from 'prom-client';
import { parseDuration, type Duration } from '../duration.js';
import { ConfigurationError } from '../errors.js';

/** The options of `TaskMetricsModule`. */
export interface TaskMetricsOptions {
  /**
   * The registry of `prom-client` that gets the metrics, for example the application's own. The route shows all of its metrics. Default:
   * a registry of the module.
   */
  readonly registry?: Registry;
  /**
   * How often the store is counted: by one of all processes, for all of them. Default: `'15s'`.
   */
  readonly interval?: Duration;
  /**
   * How many names of tasks that this process does not declare become labels, in the order in which they come; all further ones count
   * as `other`. Default: 200.
   */
  readonly maxTasks?: number;
}

/** What has to be known before the options are. */
export interface TaskMetricsExtras {
  /** The path of the route, behind the global prefix of the application. `false`: no route. Default: `'metrics'`. */
  readonly path?: string | false;
  /** Guards of the route. Global guards run for it too. */
  readonly guards?: readonly (Type<CanActivate> | CanActivate)[];
  /** Modules with what the guards inject. */
  readonly imports?: readonly (Type | DynamicModule | Promise<DynamicModule> | ForwardReference)[];
}

export interface ResolvedMetricsOptions {
  readonly registry: Registry | undefined;
  readonly interval: number;
  readonly maxTasks: number;
}

const MOST_TASKS = 200;

/** @throws ConfigurationError */
export function resolveMetricsOptions(options: TaskMetricsOptions = {}): ResolvedMetricsOptions {
  const { interval = '15s', maxTasks = MOST_TASKS, registry } = options;
  if (!Number.isInteger(maxTasks) || maxTasks < 0)
    throw new ConfigurationError(`maxTasks of TaskMetricsModule is ${String(maxTasks)}. Give a whole number from 0.`);
  return { registry, maxTasks, interval: parseDuration(interval, 'interval of TaskMetricsModule') };
}
