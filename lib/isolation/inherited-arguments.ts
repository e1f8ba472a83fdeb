/** Arguments of Node with a value in the next argument, that a child process must not repeat. */
const WITH_VALUE = new Set(['-e', '--eval', '-p', '--print', '-pe', '--inspect-port', '--debug-port', '--watch-path']);
/** Arguments that a child process must not repeat: two processes cannot listen on the same port, and the heap has its own limit. */
const LEFT_OUT = /^--(inspect|debug|watch|test|max-old-space-size|max_old_space_size|eval|print|cpu-prof|heap-prof)/;

/**
 * The arguments of Node for a child process: those of this process, such as `--import`, and its own limit of the heap.
 *
 * @param heap bytes
 */
export function inheritedArguments(own: readonly string[], heap: number | undefined): string[] {
  const kept: string[] = [];
  for (let index = 0; index < own.length; index++) {
    const argument = own[index] as string;
    if (WITH_VALUE.has(argument)) index++;
    else if (!LEFT_OUT.test(argument)) kept.push(argument);
  }
  if (heap !== undefined) kept.push(`--max-old-space-size=${Math.max(Math.floor(heap / 1024 ** 2), 1)}`);
  return kept;
}
