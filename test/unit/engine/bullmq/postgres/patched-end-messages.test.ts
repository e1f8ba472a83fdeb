import { describe, expect, it, jest } from '@jest/globals';
import type { Job, PgQueryResult, PostgresQueueBackend } from 'bullmq';
import { OWN_CLOCK } from '../../../../../lib/engine/bullmq/clock.js';
import type { EndMessages } from '../../../../../lib/engine/bullmq/driver.js';
import {
  dropEmptyRow,
  sendMessagesWithEnds,
  withMessages,
} from '../../../../../lib/engine/bullmq/postgres/patched-end-messages.js';

const TAKE = '-- Claim the next ready job.\nSELECT * FROM move_to_active($1, $2, $3, $4, $5, $6, $7);\n';
const END = `SELECT * FROM move_to_completed_fetch(\n  $1, ${Array.from({ length: 12 }, (_, index) => `$${index + 2}`).join(', ')});`;
const endParams = (limit: number | null) => [...Array<string>(12).fill('x'), limit];

describe('a statement of a worker', () => {
  it('stays as it is without messages', () => {
    expect(withMessages(TAKE, ['q', 't', 1, 1, null, null, null])).toBe(TAKE);
    expect(withMessages(END, endParams(null))).toBe(END);
    expect(withMessages('SELECT now()')).toBe('SELECT now()');
  });

  it.each([null, 1_000])('sends messages that come behind its own parameters (limit: %p)', (limit) => {
    const text = withMessages(END, [...endParams(limit), ['channel'], ['message']]);
    expect(text).toContain('pg_notify');
    expect(text).toContain('LEFT JOIN move_to_completed_fetch(');
    expect(text.includes("field = 'duration'")).toBe(limit !== null);
  });

  it('gives no row when it has taken no job', () => {
    const answer = (rows: object[]) => dropEmptyRow({ rows, rowCount: rows.length } as PgQueryResult).rows;
    expect(answer([{ id: '1' }])).toHaveLength(1);
    expect(answer([{ next_delay: null }])).toHaveLength(1);
    expect(answer([])).toEqual([]);
    expect(answer([{ id: null, name: null }])).toEqual([]);
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
  sendMessagesWithEnds(backend as unknown as PostgresQueueBackend, OWN_CLOCK, ends);
  return {
    backend,
    sent: () => run.mock.calls.map(([command, params]) => [command, params.length])[0],
  };
}
