import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { ConfigurationError } from '../../../lib/errors.js';
import { withQuestionMarks } from '../../../lib/transactions/recognition.js';
import { adapterOf } from '../../../lib/transactions/transaction-adapter.js';

/** A client of pg that answers every statement with what it got, and is in a transaction. */
function pgClient(status = 'T'): pg.Client {
  const client = new pg.Client();
  client.query = (async (text: string, values: unknown[]) => ({ rows: [{ text, values }] })) as never;
  client.getTransactionStatus = () => status as never;
  return client;
}

describe('adapterOf', () => {
  test('a client of pg', async () => {
    const adapter = adapterOf(pgClient());
    expect(adapter.dialect).toBe('postgres');
    expect(await adapter.query('SELECT $1', [7])).toEqual([{ text: 'SELECT $1', values: [7] }]);
    expect(adapter.isOpen?.()).toBe(true);
  });

  test('an adapter of the application is used as it is', () => {
    const own = { dialect: 'mysql' as const, query: async () => [] };
    expect(adapterOf(own)).toBe(own);
  });

  test.each<[string, unknown, RegExp]>([
    ['a pool', new pg.Pool(), /a Pool of pg.*pool\.connect\(\)/],
    ['a client without BEGIN', pgClient('I'), /a client of pg without a transaction.*BEGIN/],
    [
      'an instance of any class',
      new (class Order {})(),
      /an object of the class Order, which it does not know.*TypeORM/,
    ],
    ['an object', {}, /an object, which it does not know/],
    ['undefined', undefined, /undefined, which is no transaction/],
    ['a text', 'tx', /tx, which is no transaction/],
    ['an adapter of an unknown dialect', { dialect: 'oracle', query: async () => [] }, /does not know/],
  ])('%s is refused by name', (_, transaction, message) => {
    expect(() => adapterOf(transaction as object)).toThrow(ConfigurationError);
    expect(() => adapterOf(transaction as object)).toThrow(message);
  });
});

test('withQuestionMarks repeats and orders the parameters, and escapes the operator', () => {
  expect(withQuestionMarks('SELECT $2, $1, $2 WHERE a ? b', ['one', 'two'], '\\?')).toEqual([
    'SELECT ?, ?, ? WHERE a \\? b',
    ['two', 'one', 'two'],
  ]);
});
