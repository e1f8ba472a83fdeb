import { setFlagsFromString } from 'node:v8';

/**
 * How long a function of WebAssembly runs before V8 compiles it a second time, with its optimising compiler: roughly the bytes of code
 * that it has run. PostgreSQL in WebAssembly has thousands of functions that run often for a moment when it starts. With V8's own budget
 * the optimising compiler works on them for seconds, on all cores. With this one it works on those that go on to run.
 *
 * Measured with `npm run bench -- embedded`.
 */
const BUDGET = 1_800_000_000;
/** V8's own budget, of Node 20 and of later versions. */
const [OWN_BUDGET_OF_NODE_20, OWN_BUDGET] = [1_800_000, 13_000_000];

/** A process that was started with flags for WebAssembly keeps them. */
const IS_SET = /--(no-)?(wasm|liftoff)/;

let starts = 0;

/**
 * Runs `start` with {@link BUDGET} for what it compiles. The flag counts for the whole process, so it is set back as soon as `start` has
 * ended; a module keeps the budget with which it was compiled.
 *
 * @param flags the flags of the process
 * @param setFlags for tests: replaces the function of Node
 */
export async function withLateOptimization<T>(
  start: () => Promise<T>,
  flags = [...process.execArgv, process.env['NODE_OPTIONS']].join(' '),
  setFlags = setFlagsFromString,
): Promise<T> {
  if (IS_SET.test(flags)) return start();
  if (starts++ === 0) setFlags(`--wasm-tiering-budget=${BUDGET}`);
  try {
    return await start();
  } finally {
    if (--starts === 0) setFlags(`--wasm-tiering-budget=${ownBudget()}`);
  }
}

function ownBudget(): number {
  return process.version.startsWith('v20.') ? OWN_BUDGET_OF_NODE_20 : OWN_BUDGET;
}
