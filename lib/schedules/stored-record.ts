/**
 * The format of the records that this version stores. A version that gives a record another meaning, or another field,
 * raises it, so that a process of an earlier version leaves the record alone. The records of 0.1.0 have no number and are
 * read as format 1.
 */
const FORMAT = 1;

/** A stored text is not a record that this process understands. The message completes "the record …". */
export class UnreadableRecord extends Error {
  constructor(
    reason: string,
    /** Whether a later version of this package stored it. No process changes such a record by itself. */
    readonly isNewer = false,
  ) {
    super(reason);
  }
}

/** The text of a record, with the number of its format. */
export function textOf(record: object): string {
  return JSON.stringify({ format: FORMAT, ...record });
}

/**
 * The record of a text, without the number of its format.
 *
 * @param what the record, for the error
 * @throws UnreadableRecord
 */
export function readRecord(text: string, what: string): Readonly<Record<string, unknown>> {
  const { format, ...record } = parseObject(text, what);
  if (format === undefined || format === FORMAT) return record;
  if (typeof format !== 'number' || !(format > FORMAT)) {
    throw new UnreadableRecord(`${what} has the format ${JSON.stringify(format)}, which does not exist.`);
  }
  throw new UnreadableRecord(
    `${what} has the format ${format}. A later version of nestjs-task-queue stored it; this process understands the format ${FORMAT}.`,
    true,
  );
}

/** The fields of the record of a text; none when there is no record, or none that this process understands. */
export function fieldsOrNone(text: string | undefined): Readonly<Record<string, unknown>> {
  if (text === undefined) return {};
  try {
    return readRecord(text, 'The record');
  } catch {
    return {};
  }
}

/** The fields of a text that was refused, as far as there are any, to show them. */
export function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    return parseObject(text, 'The record');
  } catch {
    return {};
  }
}

function parseObject(text: string, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UnreadableRecord(`${what} is not JSON.`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new UnreadableRecord(`${what} is not a JSON object.`);
}

/** The last time that a `Date` can hold. */
const LAST_TIME = 8.64e15;

/** Whether a value is a time in milliseconds since 1970, of which a `Date` can be made. */
export function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= LAST_TIME;
}
