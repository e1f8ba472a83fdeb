/** What the code of a process declares. */
export interface DeclaredCode {
  /** The name of the application; `undefined` when it has none. */
  readonly application: string | undefined;
  /** The names of its tasks. */
  readonly tasks: readonly string[];
  /** The ids of its decorated schedules. */
  readonly schedules: readonly string[];
}

/**
 * Whether two processes run the same application, perhaps in two versions. Applications with different names are two. Without
 * names, or with the same, two processes that have no task and no schedule in common are two applications: the versions of one
 * application seldom share nothing.
 */
export function isSameApplication(one: DeclaredCode, other: DeclaredCode): boolean {
  if (one.application !== undefined && other.application !== undefined && one.application !== other.application) {
    return false;
  }
  const isEmpty = ({ tasks, schedules }: DeclaredCode) => tasks.length + schedules.length === 0;
  if (isEmpty(one) || isEmpty(other)) return true;
  return overlap(one.tasks, other.tasks) || overlap(one.schedules, other.schedules);
}

function overlap(some: readonly string[], others: readonly string[]): boolean {
  const known = new Set(others);
  return some.some((name) => known.has(name));
}
