import { EventEmitter } from 'node:events';
import { expect, it } from '@jest/globals';
import type { PgPool, PgQueryResult } from 'bullmq';
import { bullmq } from '../../../../../lib/engine/bullmq/bullmq-package.cjs';
import { askTogether } from '../../../../../lib/engine/bullmq/postgres/patched-wait.js';

/** A backend of BullMQ whose statements are remembered, and answered by a row. */
function backendWith(row: object) {
  const statements: string[] = [];
  const send = async (text: string): Promise<PgQueryResult<unknown>> => {
    statements.push(text);
    return { rows: [row], rowCount: 1 };
  };
  const client = Object.assign(new EventEmitter(), { query: async () => ({ rows: [] }), release: () => undefined });
  const pool = {
    query: askTogether(send),
    connect: async () => client,
    end: async () => undefined,
    on: () => pool,
    removeAllListeners: () => pool,
  } as unknown as PgPool;
  // As in the driver: the tables are prepared already.
  const connection = Object.assign(new bullmq.PostgresConnection(pool), { waitUntilReady: async () => undefined });
  return { backend: new bullmq.PostgresQueueBackend(connection, 'mail', {} as never), statements };
}

it('a worker that begins to wait asks with one statement', async () => {
  const { backend, statements } = backendWith({ present: true, next_delay: null });
  await expect(backend.waitForJob(60)).resolves.toEqual({ member: 'mail', score: 0 });
  expect(statements).toHaveLength(1);
  expect(statements[0]).toContain("state = 'waiting'");
  expect(statements[0]).toContain('next_delay($1) AS next_delay');
});

it('the answer of that statement says when the next delayed job is due', async () => {
  const { backend, statements } = backendWith({ present: false, next_delay: String(Date.now() - 1) });
  await expect(backend.waitForJob(60)).resolves.toBeNull();
  expect(statements).toHaveLength(1);
});

it('a question of another turn is a statement of its own', async () => {
  const { backend, statements } = backendWith({ present: true, next_delay: null });
  await backend.waitForJob(60);
  await askTogether(async (text) => {
    statements.push(text);
    return { rows: [], rowCount: 0 };
  })('SELECT next_delay($1) AS next_delay;\n', ['mail']);
  expect(statements.at(-1)).toBe('SELECT next_delay($1) AS next_delay;\n');
});
