import { toJson } from '../../engine/json.js';
import { isQueueOfTasks, queueOfTask } from '../../engine/task-id.js';
import type { TaskCall, TaskTree } from '../../engine/task.js';

/**
 * The form of the rows that this version writes. A relay leaves rows of a higher form to newer processes.
 *
 * Form 1: `{"calls":[…]}` with calls of one queue, or `{"tree":{…}}` with a workflow.
 */
export const FORMAT = 1;

/** What one row of the outbox contains. */
export type OutboxContent = { readonly calls: readonly TaskCall[] } | { readonly tree: TaskTree };

/** A row that is about to be stored. */
export interface NewRow {
  /** The queue of its calls, or that of the workflow. */
  readonly queue: string;
  /** How many calls it contains. A workflow counts as one. */
  readonly calls: number;
  readonly payload: string;
}

/** The last time that the stores take: the end of the year 9999. */
const LAST_TIME = 253_402_300_799_999;
/** Characters of the payload of one row. A larger call has a row of its own. */
const ROW_LENGTH = 256 * 1024;
/** Calls of one row. */
const ROW_CALLS = 500;

/** The rows of calls, in their order: calls of the same queue share a row. */
export function rowsOfCalls(calls: readonly TaskCall[]): NewRow[] {
  const rows: NewRow[] = [];
  let queue = '';
  let texts: string[] = [];
  let length = 0;
  const end = () => {
    if (texts.length > 0) rows.push({ queue, calls: texts.length, payload: `{"calls":[${texts.join(',')}]}` });
    texts = [];
    length = 0;
  };
  for (const call of calls) {
    const text = toAscii(JSON.stringify(call));
    if (call.queue !== queue || texts.length === ROW_CALLS || length + text.length > ROW_LENGTH) end();
    queue = call.queue;
    texts.push(text);
    length += text.length;
  }
  end();
  return rows;
}

/** The row of a workflow. */
export function rowOfTree(tree: TaskTree): NewRow {
  return { queue: tree.queue, calls: 1, payload: `{"tree":${toAscii(JSON.stringify(tree))}}` };
}

/**
 * Reads the payload of a row. Anything may stand in a table.
 *
 * @throws Error with what is wrong, and nothing of the payload
 */
export function readContent(payload: string): OutboxContent {
  const content = parse(payload);
  if (isObject(content) && isTree(content['tree'])) return { tree: storable(content['tree'], 'tree') };
  if (isObject(content) && Array.isArray(content['calls']) && content['calls'].every(isCall))
    return { calls: storable(content['calls'], 'calls') };
  throw new Error('the payload contains neither calls nor a workflow');
}

/** @throws NotSerializableError with the place of a text that no engine can store */
function storable<T>(content: T, what: string): T {
  toJson(content, what);
  return content;
}

/** How the id of a call stands in a payload. The same text may stand in the arguments of other calls. */
export function textOfId(id: string): string {
  return toAscii(JSON.stringify({ id })).slice(1, -1);
}

/** JSON without characters that the character set of a connection or a table could change. */
function toAscii(json: string): string {
  return json.replaceAll(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function parse(payload: string): unknown {
  try {
    return JSON.parse(payload);
  } catch {
    throw new Error('the payload is not JSON');
  }
}

type Fields = Readonly<Record<string, unknown>>;

function isCall(value: unknown): value is TaskCall {
  if (!isObject(value)) return false;
  const { id, name, queue, args, headers, options, unique } = value;
  return (
    typeof id === 'string' &&
    typeof queue === 'string' &&
    isQueueOfTasks(queue) &&
    queueOfTask(id) === queue &&
    typeof name === 'string' &&
    name !== '' &&
    Array.isArray(args) &&
    isObject(headers) &&
    Object.values(headers).every((header) => typeof header === 'string') &&
    isOptions(options) &&
    (unique === undefined || (isObject(unique) && typeof unique['key'] === 'string'))
  );
}

/** The numbers among the options of a call. */
const NUMBERS: ReadonlyMap<string, (option: number) => boolean> = new Map([
  ['attempts', (attempts: number) => Number.isInteger(attempts) && attempts <= 1_001],
  ['priority', (priority: number) => Number.isInteger(priority) && priority <= 9],
  ...(['startAt', 'expiresAt', 'timeout', 'resultTtl'] as const).map(
    (name) => [name, (time: number) => time <= LAST_TIME] as const,
  ),
]);

function isOptions(value: unknown): value is TaskCall['options'] {
  return (
    isObject(value) &&
    Object.entries(value).every(([name, option]) => {
      const isRight = NUMBERS.get(name);
      return !isRight || (typeof option === 'number' && option >= 0 && isRight(option));
    }) &&
    isObject(value['backoff'] ?? {})
  );
}

/** A stored workflow is not deeper than JSON may be, so this function may call itself. */
function isTree(value: unknown): value is TaskTree {
  if (!isObject(value) || !isCall(value)) return false;
  const { members } = value as Fields;
  return Array.isArray(members) && members.every(isTree);
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
