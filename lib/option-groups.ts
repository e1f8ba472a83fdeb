import { checkFields, checkObject, refuseUnknown, type FieldsOf } from './option-fields.js';
import type { QueueOptions, TaskQueueOptions } from './module-options.js';

const OPTIONS: FieldsOf<TaskQueueOptions> = {
  connection: true,
  prefix: true,
  shards: true,
  migrations: true,
  role: true,
  queues: true,
  consume: true,
  outbox: true,
  isolation: true,
  defaults: true,
  results: true,
  logs: true,
  stats: true,
  http: true,
  enhancers: true,
  maxPayload: true,
  enqueueTimeout: true,
  abandonedAfter: true,
  shutdown: true,
  application: true,
  transaction: true,
};

const QUEUE: FieldsOf<QueueOptions> = {
  concurrency: true,
  globalConcurrency: true,
  rateLimit: true,
  maxQueued: true,
  priorities: true,
  shard: true,
};

const RATE_LIMIT: FieldsOf<NonNullable<QueueOptions['rateLimit']>> = { max: true, per: true };

/** The options that have no file of their own which checks them. */
type Group = 'results' | 'logs' | 'shutdown' | 'enhancers';

const GROUPS: { readonly [K in Group]: FieldsOf<NonNullable<TaskQueueOptions[K]>> } = {
  results: { ttl: true, failedTtl: true },
  logs: { keep: true },
  shutdown: { grace: true },
  enhancers: { global: true },
};

/** @throws ConfigurationError for the value of a factory that forgot to return options */
export function checkOptions(options: unknown): asserts options is TaskQueueOptions {
  checkObject(
    options,
    'The value that the factory or the call of TaskQueueModule gave as its options',
    "Give an object: { connection: 'redis://…' }, or {} for the defaults.",
  );
}

/**
 * Checks the names of all options, and that those which are groups of options are objects.
 *
 * @throws ConfigurationError naming the option
 */
export function checkOptionNames(options: TaskQueueOptions): void {
  refuseUnknown<TaskQueueOptions>(options, OPTIONS);
  const { queues, stats } = options;
  for (const name of Object.keys(GROUPS) as Group[]) checkGroup(options, name);
  if (stats !== undefined && stats !== false) checkFields(stats, 'stats', { keep: true });
  if (queues === undefined) return;
  checkObject(queues, 'queues', 'Give queues by their names: queues: { mail: { concurrency: 5 } }.');
  for (const [name, queue] of Object.entries(queues)) {
    const option = `queues.${name}`;
    checkFields(queue, option, QUEUE);
    if (queue.rateLimit !== undefined) checkFields(queue.rateLimit, `${option}.rateLimit`, RATE_LIMIT);
  }
}

function checkGroup(options: TaskQueueOptions, name: Group): void {
  if (options[name] !== undefined) checkFields(options[name], name, GROUPS[name] as FieldsOf<Record<string, unknown>>);
}
