/**
 * Replaces the value of the field $2 in the metadata of the queue $1 by $4 if it is $3; no value is an empty one. Gives the values of
 * the fields $5 as they were before, and whether it was replaced.
 */
export const REPLACE_META = `
WITH replaced AS (
  INSERT INTO meta AS known (queue, field, value)
  SELECT $1, $2, $4 WHERE $3 = '' OR EXISTS (SELECT FROM meta WHERE queue = $1 AND field = $2)
  ON CONFLICT (queue, field) DO UPDATE SET value = $4 WHERE COALESCE(known.value, '') = $3
  RETURNING field
)
SELECT wanted.field, value, EXISTS (SELECT FROM replaced) AS replaced
FROM unnest($5::text[]) AS wanted (field) LEFT JOIN meta ON meta.queue = $1 AND meta.field = wanted.field`;

export interface ReplacedRow {
  readonly field: string;
  readonly value: string | null;
  readonly replaced: boolean;
}

/** The values after {@link REPLACE_META}, in the order of the fields. */
export function readReplaced(
  rows: readonly ReplacedRow[],
  field: string,
  next: string,
  fields: readonly string[],
): (string | null)[] {
  const values = new Map(rows.map((row) => [row.field, row.value]));
  if (rows[0]?.replaced) values.set(field, next);
  return fields.map((name) => values.get(name) ?? null);
}
