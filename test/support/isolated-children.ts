import { fileURLToPath } from 'node:url';

const loader = fileURLToPath(new URL('typescript-loader.js', import.meta.url));
const PACKAGE = new URL('../../dist/esm/index.js', import.meta.url).href;

/**
 * Sets the environment that the children of isolated tasks inherit from a test: they load their application from its source, and this
 * package from its build, because each child would compile all of its source.
 */
export function childEnvironment(): void {
  process.env['NODE_OPTIONS'] = `--import ${loader}`;
  process.env['TASK_QUEUE_PACKAGE'] = PACKAGE;
}

/** Sets where the children of isolated tasks store their tasks, which has to be the place of their parent. */
export function childrenStoreIn({
  connection,
  prefix,
}: {
  readonly connection: string;
  readonly prefix?: string;
}): void {
  process.env['TASK_QUEUE_URL'] = connection;
  if (prefix === undefined) delete process.env['TASK_QUEUE_PREFIX'];
  else process.env['TASK_QUEUE_PREFIX'] = prefix;
}
