import { dialectOf, hasMethods, Refusal, rowsOf, unknownDialect, type Recognize } from '../recognition.js';

/** The name of the database in the schema of Prisma. */
const PROVIDER = '_activeProvider';

interface PrismaTransaction {
  readonly [PROVIDER]?: string;
  $queryRawUnsafe(text: string, ...params: readonly unknown[]): Promise<unknown>;
}

/** A client of Prisma. */
export const recognizePrisma: Recognize = (candidate) => {
  if (!hasMethods(candidate, '$queryRawUnsafe', '$executeRawUnsafe')) return undefined;
  // The client of a transaction can neither connect nor, before Prisma 7, begin another transaction.
  if (hasMethods(candidate, '$connect')) {
    return new Refusal(
      'the root PrismaClient, which is no transaction',
      'Pass the client of the callback: prisma.$transaction(async (tx) => { … .in(tx) … }).',
    );
  }
  const client = candidate as unknown as PrismaTransaction;
  const provider = client[PROVIDER] ?? 'postgresql';
  const dialect = dialectOf(provider);
  if (!dialect) return unknownDialect('Prisma', provider);
  return {
    dialect,
    query: async (text, params) => rowsOf(await client.$queryRawUnsafe(text, ...params)),
  };
};
