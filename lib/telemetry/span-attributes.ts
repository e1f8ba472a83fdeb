import type { Attributes } from '@opentelemetry/api';
import { callsOf, type Sending } from '../engine/instrumentation.js';
import type { Delivery } from '../engine/ports/worker-port.js';
import type { Headers, TaskCall, TaskTree } from '../engine/task.js';
import * as names from './semantic-conventions.js';

/** The attributes of the span around the storing of calls. */
export function attributesOfSending(sending: Sending): Attributes {
  const all = callsOf(sending);
  const [first] = sending.calls;
  const queues = new Set(all.map(({ queue }) => queue));
  const tasks = new Set(sending.calls.map(({ name }) => name));
  return {
    [names.MESSAGING_SYSTEM]: names.SYSTEM,
    [names.OPERATION_NAME]: 'enqueue',
    [names.OPERATION_TYPE]: 'send',
    ...(first && queues.size === 1 && { [names.DESTINATION]: first.queue }),
    ...(first && tasks.size === 1 && { [names.TASK]: first.name }),
    ...(first && all.length === 1 && { [names.MESSAGE_ID]: first.id }),
    ...(all.length !== 1 && { [names.MESSAGE_COUNT]: all.length }),
    ...(first && isPartOfWorkflow(first) && { [names.CONVERSATION_ID]: first.root }),
    ...scheduleOf(sending),
  };
}

/** The attributes of the span around an attempt. */
export function attributesOfRun({ id, name, queue, attempt, root, headers }: Delivery): Attributes {
  return {
    [names.MESSAGING_SYSTEM]: names.SYSTEM,
    [names.OPERATION_NAME]: 'run',
    [names.OPERATION_TYPE]: 'process',
    [names.DESTINATION]: queue,
    [names.MESSAGE_ID]: id,
    [names.TASK]: name,
    [names.ATTEMPT]: attempt,
    ...(root !== id && { [names.CONVERSATION_ID]: root }),
    ...(headers['schedule'] !== undefined && { [names.SCHEDULE]: headers['schedule'] }),
  };
}

/** What is stored, in few words: the span's name must not differ from call to call. */
export function nameOfSending({ calls: [first, ...more] }: Sending): string {
  if (!first) return 'enqueue';
  return more.every(({ name }) => name === first.name) ? `enqueue ${first.name}` : 'enqueue tasks';
}

function isPartOfWorkflow(call: TaskCall | TaskTree): call is TaskTree & { readonly root: string } {
  return 'root' in call && call.root !== undefined && (call.root !== call.id || call.members.length > 0);
}

/** Only a tick has its schedule in the headers of the call itself: the tasks that its task enqueues inherit them. */
function scheduleOf({ calls: [first], cause }: Sending): Attributes {
  const { schedule }: Headers = first?.headers ?? {};
  return cause === 'schedule' && schedule !== undefined ? { [names.SCHEDULE]: schedule } : {};
}
