import type { PgQueryable } from 'bullmq';
import type { MetaChange, MetaPage, QueueMetadata } from '../driver.js';

/** Fields of a page of metadata. */
const META_PAGE = 1_000;

/**
 * Replaces the value of the field $2 in the metadata of the queue $1 by $4 if it is $3; no value is an empty one. Gives the values of
 * the fields $5 as they were before, and whether it was replaced.
 */
const REPLACE_META = `
WITH replaced AS (
  INSERT INTO meta AS known (queue, field, value)
  SELECT $1, $2, $4 WHERE $3 = '' OR EXISTS (SELECT FROM meta WHERE queue = $1 AND field = $2)
  ON CONFLICT (queue, field) DO UPDATE SET value = $4 WHERE COALESCE(known.value, '') = $3
  RETURNING field
)
SELECT wanted.field, value, EXISTS (SELECT FROM replaced) AS replaced
FROM unnest($5::text[]) AS wanted (field) LEFT JOIN meta ON meta.queue = $1 AND meta.field = wanted.field`;

interface ReplacedRow {
  readonly field: string;
  readonly value: string | null;
  readonly replaced: boolean;
}

/** Reads and replaces the metadata of queues on PostgreSQL. */
export class PostgresMetadata implements QueueMetadata {
  constructor(private readonly queries: PgQueryable) {}

  /** The primary key gives the fields in their order, so the last field of a page is where the next page begins. */
  async scan(queue: string, cursor: string | undefined): Promise<MetaPage> {
    const { rows } = await this.queries.query<{ field: string; value: string | null }>(
      'SELECT field, value FROM meta WHERE queue = $1 AND ($2::text IS NULL OR field > $2) ORDER BY field LIMIT $3',
      [queue, cursor ?? null, META_PAGE],
    );
    return {
      fields: rows.map(({ field, value }) => [field, value ?? ''] as const),
      next: rows.length < META_PAGE ? undefined : rows.at(-1)?.field,
    };
  }

  async replace(queue: string, { field, before, next }: MetaChange, fields: readonly string[]) {
    const { rows } = await this.queries.query<ReplacedRow>(REPLACE_META, [queue, field, before, next, fields]);
    return readReplaced(rows, field, next, fields);
  }
}

/** The values after {@link REPLACE_META}, in the order of the fields. */
function readReplaced(
  rows: readonly ReplacedRow[],
  field: string,
  next: string,
  fields: readonly string[],
): (string | null)[] {
  const values = new Map(rows.map((row) => [row.field, row.value]));
  if (rows[0]?.replaced) values.set(field, next);
  return fields.map((name) => values.get(name) ?? null);
}
