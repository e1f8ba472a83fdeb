import { databaseUrl } from '../database/database-url.js';

/** Where orders and tasks are, so that the page says what it compares. */
export interface OrderPlace {
  readonly orders: string;
  readonly tasks: string;
  /** Whether the orders are in a server of their own, and not in this process. */
  readonly isServer: boolean;
  /** Why no load can begin; absent when it can. */
  readonly obstacle?: string;
}

export function placeOfOrders(orders: string, env: NodeJS.ProcessEnv = process.env): OrderPlace {
  const { TASK_QUEUE_URL: url = '', TASK_QUEUE_ROLE: role } = env;
  const tasks = /^rediss?:/.test(url) ? 'Redis' : url.startsWith('postgres') ? 'PostgreSQL' : 'the embedded engine';
  const isServer = databaseUrl(env) !== undefined;
  // The embedded database of this process is not that of the worker.
  if (role !== 'producer' || isServer) return { orders, tasks, isServer };
  const obstacle =
    'Web and worker are two processes here, and need a database that both reach: set SAMPLE_DATABASE_URL.';
  return { orders, tasks, isServer, obstacle };
}
