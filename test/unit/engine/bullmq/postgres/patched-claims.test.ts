import { describe, expect, it, jest } from '@jest/globals';
import type { Job, PgQueryResult, PostgresQueueBackend } from 'bullmq';
import { OWN_CLOCK } from '../../../../../lib/engine/bullmq/clock.js';
import type { EndMessages } from '../../../../../lib/engine/bullmq/driver.js';
import { claimStatement, patchClaims, readClaim } from '../../../../../lib/engine/bullmq/postgres/patched-claims.js';

const TAKE = '-- Claim the next ready job.\nSELECT * FROM move_to_active($1, $2, $3, $4, $5, $6, $7);\n';
const END = `SELECT * FROM move_to_completed_fetch(\n  $1, ${Array.from({ length: 12 }, (_, index) => `$${index + 2}`).join(', ')}\n);`;
const endParams = (limit: number | null) => [...Array<string>(12).fill('x'), limit];

describe('a statement that may take a job', () => {
  it('reads the time of the next delayed job in the same round trip', () => {
    const text = claimStatement(TAKE, ['q', 't', 1, 1, null, null, null]);
    expect(text).toContain('LEFT JOIN move_to_active($1, $2, $3, $4, $5, $6, $7) AS job');
    expect(text).toContain('next_delay($1)');
  });

  it('stays as it is for a worker that declares a limit', () => {
    expect(claimStatement(TAKE, ['q', 't', 1, 1, null, 5, 1_000])).not.toContain('next_delay');
    expect(claimStatement(END, endParams(1_000))).not.toContain('next_delay');
  });

  it.each([null, 1_000])('sends messages that come behind its own parameters (limit: %p)', (limit) => {
    const text = claimStatement(END, [...endParams(limit), ['channel'], ['message']]);
    expect(text).toContain('pg_notify');
    expect(text).toContain('move_to_completed_fetch(');
  });

  it('is told apart from every other statement', () => {
    expect(claimStatement('SELECT * FROM next_signal($1, $2, $3)', ['q', null, null])).not.toContain('JOIN');
  });
});

describe('the answer', () => {
  const answer = (rows: object[]) => readClaim({ rows, rowCount: rows.length } as PgQueryResult);

  it('with a job is that of BullMQ', () => {
    expect(answer([{ id: '1', is_known: null, next_delay: null }]).rows).toHaveLength(1);
    expect(answer([]).rows).toEqual([]);
    expect(answer([{ rate_limit_ttl: null, next_delay: null }]).rows).toHaveLength(1);
  });

  it.each([
    { next_delay: '17', answered: [null, '', 0, 17] },
    { next_delay: null, answered: [null, '', 0, 0] },
  ])('without a job spares the question for the next delayed one: $next_delay', async ({ next_delay, answered }) => {
    const { backend } = backendWith(announcer([]));
    const { rows } = answer([{ id: null, is_known: true, next_delay }]);
    expect(rows).toEqual([]);
    expect(await backend.buildNextJobResult(rows)).toEqual(answered);
  });

  it('without a job in a queue with a limit leaves that question to BullMQ', async () => {
    const { backend } = backendWith(announcer([]));
    const { rows } = answer([{ id: null, is_known: false, next_delay: '17' }]);
    expect(await backend.buildNextJobResult(rows)).toBe('asked');
  });
});

describe('the end of a task', () => {
  const job = { id: 'q.1', name: 'Mail.send', data: { args: [] }, opts: {}, attemptsMade: 0, attemptsStarted: 1 };

  it('without a watcher is stored as by BullMQ', async () => {
    const { backend, sent } = backendWith(announcer([]));
    await backend.moveToCompleted(job, 1, false, 't', true);
    expect(sent()).toEqual(['move_to_completed_fetch', 13]);
  });

  it('takes the messages to its watchers along, with the fields that it stores', async () => {
    const ends = announcer([{ channel: 'inbox', message: 'sealed' }]);
    const { backend, sent } = backendWith(ends);
    await backend.moveToCompleted(job, 1, false, 't', true);
    expect(sent()).toEqual(['move_to_completed_fetch', 15]);
    const success = ends.endMessages.mock.calls[0]?.[1]();
    expect(success?.slice(-4)).toEqual(['1', '1', '1000', '1']);
    expect(ends.endFailed).not.toHaveBeenCalled();
  });

  it('that is not stored is told again when it is', async () => {
    const ends = announcer([{ channel: 'inbox', message: 'sealed' }]);
    const { backend } = backendWith(ends, new Error('not locked'));
    await expect(backend.moveToCompleted(job, 1, false, 't', true)).rejects.toThrow('not locked');
    expect(ends.endFailed.mock.calls).toEqual([['q.1']]);
  });
});

function announcer(messages: { channel: string; message: string }[]) {
  return {
    endMessages: jest.fn<EndMessages['endMessages']>().mockReturnValue(messages),
    ending: jest.fn<EndMessages['ending']>(),
    endFailed: jest.fn<EndMessages['endFailed']>(),
  };
}

/** A backend that sends the statement in the turn in which it is told to store the end, as that of BullMQ does. */
function backendWith(ends: EndMessages, error?: Error) {
  const run = jest.fn(async (_command: string, _params: readonly unknown[]) => {
    if (error) throw error;
    return { rows: [], rowCount: 0 };
  });
  const backend = {
    run,
    buildNextJobResult: async (_rows: readonly unknown[]): Promise<unknown> => 'asked',
    async moveToCompleted(...args: readonly unknown[]): Promise<unknown> {
      return this.run('move_to_completed_fetch', [
        'q',
        (args[0] as Job).id,
        't',
        '1',
        1_000,
        ...Array<null>(8).fill(null),
      ]);
    },
  };
  patchClaims(backend as unknown as PostgresQueueBackend, OWN_CLOCK, ends);
  return {
    backend,
    sent: () => run.mock.calls.map(([command, params]) => [command, params.length])[0],
  };
}
