import { DATABASE_FILE } from './open-sqlite.js';

/** The address of the application's database, by default that of the tasks if it is PostgreSQL; `undefined` for a file of SQLite. */
export function databaseUrl(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const { SAMPLE_DATABASE_URL: own, TASK_QUEUE_URL: tasks } = env;
  return own ?? (tasks !== undefined && /^postgres(ql)?:/.test(tasks) ? tasks : undefined);
}

/** The outbox takes the calls of transactions to tasks that are in another place than the database. */
export function outbox(env: NodeJS.ProcessEnv = process.env): { outbox?: { connection: string } } {
  const url = databaseUrl(env);
  if (url === undefined) return { outbox: { connection: `sqlite:${DATABASE_FILE}` } };
  return url === env.TASK_QUEUE_URL ? {} : { outbox: { connection: url } };
}
