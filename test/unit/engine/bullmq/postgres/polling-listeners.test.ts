import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import type { PgPool } from 'bullmq';
import { LANE } from '../../../../../lib/engine/bullmq/postgres/lane/lane-statement.js';
import { ADD_PLAIN_JOBS } from '../../../../../lib/engine/bullmq/postgres/plain-jobs.js';
import type { PlannedStatement } from '../../../../../lib/engine/bullmq/postgres/planned-statement.js';
import { PollingListeners } from '../../../../../lib/engine/bullmq/postgres/polling-listeners.js';

const query = jest.fn(async () => ({ rows: [{ name: 'mails' }] }));
let polling: PollingListeners;
let heard: string[];

beforeEach(() => {
  query.mockClear();
  heard = [];
  polling = new PollingListeners({ query } as unknown as PgPool, () => ['mails']);
  polling.open().on('notification', (({ payload }: { payload: string }) => heard.push(payload)) as never);
});
afterEach(() => polling.close());

/** The texts with which the server runs the statement. */
const textsOf = (planned: PlannedStatement) => [planned.statement, planned.call(`"tasks".${planned.name}`)];

it.each([
  'SELECT * FROM add_job($1, $2)',
  'SELECT retry_job($1)',
  "SELECT pg_notify('bullmq_jobs', $1)",
  ...textsOf(ADD_PLAIN_JOBS),
])('polls at once after a statement that stores jobs: %s', async (text) => {
  polling.statementRan(text);
  await Promise.resolve();
  expect(query).toHaveBeenCalledTimes(1);
  await new Promise(setImmediate);
  expect(heard).toEqual(['mails']);
});

it.each(['SELECT * FROM meta', ...textsOf(LANE)])('does not poll after another statement: %s', (text) => {
  polling.statementRan(text);
  expect(query).not.toHaveBeenCalled();
});
