import { hasMethods, Refusal, rowsOf, type Candidate, type Recognize } from '../recognition.js';

interface PgClient {
  query(text: string, values: readonly unknown[]): Promise<unknown>;
  /** `I` outside of a transaction, `T` inside, `E` after an error. From pg 8.21. */
  getTransactionStatus?(): string | null;
}

/** A client of pg, or one of its pools. */
export const recognizePg: Recognize = (candidate) => {
  if (isPool(candidate)) {
    return new Refusal(
      'a Pool of pg, which runs each statement on any of its connections',
      'Pass a client: const client = await pool.connect(), then BEGIN, and .in(client).',
    );
  }
  if (!hasMethods(candidate, 'query', 'escapeIdentifier', 'escapeLiteral')) return undefined;
  const client = candidate as unknown as PgClient;
  const statusOf = () => client.getTransactionStatus?.() ?? undefined;
  if (statusOf() === 'I') {
    return new Refusal('a client of pg without a transaction', "Run client.query('BEGIN') first.");
  }
  return {
    dialect: 'postgres',
    query: async (text, params) => rowsOf(await client.query(text, params)),
    ...(client.getTransactionStatus && { isOpen: () => statusOf() !== 'I' }),
  };
};

function isPool(candidate: Candidate): boolean {
  return hasMethods(candidate, 'connect', 'query') && 'totalCount' in candidate && 'idleCount' in candidate;
}
