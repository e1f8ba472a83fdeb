import type { MemberResult, TaskFailure } from '../engine/engine.js';
import { GROUP_TASK } from '../engine/workflow-note.js';

type Failed = Extract<MemberResult, { state: 'failed' }>;

/** What the whole fails with: it names the innermost member that failed, however deep it is. */
export function failureOfMember({ id, task, failure }: Failed, position: number): TaskFailure {
  if (failure.member) return failure;
  const { name, message, code, exposable } = failure;
  const what = task === GROUP_TASK ? 'the group' : `member ${task}`;
  return {
    name: 'WorkflowFailedError',
    code: 'WORKFLOW_FAILED',
    message: `The workflow failed by ${what} (${id}), number ${position + 1}: ${message}`,
    ...(exposable && { exposable }),
    member: { id, task, position, error: { name, message, ...(code !== undefined && { code }) } },
  };
}

export function isCancellation({ code }: TaskFailure): boolean {
  return code === 'TASK_CANCELLED';
}

export function payloadTooLarge(size: number, limit: number): TaskFailure {
  return {
    name: 'PayloadTooLargeError',
    code: 'PAYLOAD_TOO_LARGE',
    message: `The results of the members are ${size} bytes of JSON together, the limit is ${limit}. Store the data elsewhere and return references, or raise the option maxPayload.`,
  };
}
