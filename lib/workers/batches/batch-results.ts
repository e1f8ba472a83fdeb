/**
 * The results of the calls of a batch, in order.
 *
 * @param returned what the method returned: nothing, or a list with one result for each call
 * @throws TypeError when the list has another length, or when something else was returned
 */
function resultsOf(returned: unknown, calls: number, task: string): readonly unknown[] {
  if (returned === undefined || returned === null) return Array.from({ length: calls });
  if (!Array.isArray(returned))
    throw new TypeError(
      `The method of task ${task} returned a value that is not a list. Return nothing, or a list with one result for each call.`,
    );
  if (returned.length !== calls)
    throw new TypeError(
      `The method of task ${task} returned ${returned.length} results for ${calls} calls. Return one for each call, in the order of the calls.`,
    );
  return returned;
}

/**
 * How the method ended for each call of a batch, in order. What cannot be read, or is a promise that is rejected, is the end of its own
 * call alone. The batch has not ended before all promises in the list are settled, so its time limit counts for them too.
 *
 * @throws TypeError as {@link resultsOf}
 */
export async function endsOf(
  returned: unknown,
  calls: number,
  task: string,
): Promise<readonly PromiseSettledResult<unknown>[]> {
  const results = resultsOf(returned, calls, task);
  return Promise.allSettled(Array.from({ length: calls }, async (_, place) => results[place]));
}

/**
 * The most calls of a batch with a call in this attempt. A call that makes a whole batch fail makes all others of it fail too. So
 * batches of repeated calls are ten times smaller with each attempt, and a call is alone in its last one.
 */
export function mostOf(size: number, attempt: number, attempts: number): number {
  if (attempt <= 1) return size;
  return attempt >= attempts ? 1 : Math.max(1, Math.floor(size / 10 ** (attempt - 1)));
}
