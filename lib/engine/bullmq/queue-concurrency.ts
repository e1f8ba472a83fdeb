/**
 * The global concurrency of a queue in its metadata. BullMQ's own field limits the jobs that are taken at once. The calls of a batch
 * are as many jobs, so the number of a queue with batches is in a field of this package, which BullMQ does not read.
 */
const JOBS_AT_ONCE = 'concurrency';
const RUNS_AT_ONCE = 'task-queue:runs-at-once';
/** Is stored when the worker that started last runs the tasks of the queue in batches. */
const COUNTS_RUNS = 'task-queue:counts-runs';
/** What the workers declare. The other fields have the number that applies. */
const DECLARED = 'task-queue:concurrency-declared';
/** Who set another number, when and why. */
const SET_BY = 'task-queue:concurrency-by';

export const CONCURRENCY_FIELDS = [JOBS_AT_ONCE, RUNS_AT_ONCE, COUNTS_RUNS, DECLARED, SET_BY] as const;

/** The global concurrency of a queue. Numbers are texts, as they are stored; `undefined` for none. */
export interface QueueConcurrency {
  readonly countsRuns: boolean;
  readonly inForce: string | undefined;
  readonly declared: string | undefined;
  /** The reason of an administrator. */
  readonly setBy: string | undefined;
}

/** Fields to store, and fields to remove after that. */
export interface FieldChanges {
  readonly stored: Readonly<Record<string, string>>;
  readonly removed: readonly string[];
}

/** @param fields the stored fields of {@link CONCURRENCY_FIELDS} */
export function readConcurrency(fields: ReadonlyMap<string, string>): QueueConcurrency {
  const countsRuns = fields.has(COUNTS_RUNS);
  const [runs, jobs] = [fields.get(RUNS_AT_ONCE), fields.get(JOBS_AT_ONCE)];
  return {
    countsRuns,
    inForce: countsRuns ? (runs ?? jobs) : jobs,
    declared: fields.get(DECLARED),
    setBy: fields.get(SET_BY),
  };
}

/** Whether an administrator or another program has set a number that takes precedence over what workers declare. */
export function isOverridden({ inForce, declared, setBy }: QueueConcurrency): boolean {
  return inForce !== undefined && (setBy !== undefined || inForce !== declared);
}

/** The global concurrency once a worker that declares a number has started. */
export function withDeclaration(
  current: QueueConcurrency,
  declared: string | undefined,
  countsRuns: boolean,
): QueueConcurrency {
  const { inForce, setBy } = isOverridden(current) ? current : { inForce: declared, setBy: undefined };
  return { countsRuns, declared, inForce, setBy };
}

/** What has to change for a queue to have this global concurrency. */
export function changesTo(
  { countsRuns, inForce, declared, setBy }: QueueConcurrency,
  fields: ReadonlyMap<string, string>,
): FieldChanges {
  const wanted: readonly (readonly [field: string, text: string | undefined])[] = [
    [RUNS_AT_ONCE, countsRuns ? inForce : undefined],
    [COUNTS_RUNS, countsRuns ? '1' : undefined],
    [JOBS_AT_ONCE, countsRuns ? undefined : inForce],
    [DECLARED, declared],
    [SET_BY, setBy],
  ];
  const stored: Record<string, string> = {};
  const removed: string[] = [];
  for (const [field, text] of wanted) {
    if (text === fields.get(field)) continue;
    if (text === undefined) removed.push(field);
    else stored[field] = text;
  }
  return { stored, removed };
}

/** The fields that say how many runs there may be at once. */
export const RUN_LIMIT_FIELDS = [RUNS_AT_ONCE, JOBS_AT_ONCE] as const;

/**
 * How many runs there may be at once; `undefined` for any number. Where BullMQ limits the jobs, because a worker without batches
 * started last or another program has set a limit, there may be no more runs either.
 *
 * @param values those of {@link RUN_LIMIT_FIELDS}
 */
export function limitOfRuns(values: readonly (string | null | undefined)[]): number | undefined {
  return values.map((text) => numberIn(text)).find((value) => value !== undefined && value >= 1);
}

export function numberIn(text: string | null | undefined): number | undefined {
  const value = Number(text ?? Number.NaN);
  return Number.isFinite(value) ? value : undefined;
}
