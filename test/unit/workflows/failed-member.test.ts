import { describe, expect, it } from '@jest/globals';
import type { TaskFailure } from '../../../lib/engine/task.js';
import { GROUP_TASK } from '../../../lib/engine/workflow-note.js';
import { failureOfMember } from '../../../lib/workflows/failed-member.js';

const WORKFLOW = { id: 'q.root', name: 'Reports.build' };
const FAILURE: TaskFailure = { name: 'Declined', message: 'no money', code: 'DECLINED', stack: 'Declined: no money' };

const failed = (failure: TaskFailure, task = 'Bank.charge') => ({ id: 'q.7', state: 'failed', task, failure }) as const;

describe('the failure of a workflow', () => {
  it('names the member, its place and its error', () => {
    expect(failureOfMember(WORKFLOW, failed(FAILURE), 2)).toStrictEqual({
      name: 'WorkflowFailedError',
      message: expect.stringMatching(/^The workflow failed .*member Bank\.charge \(q\.7\), number 3: no money$/),
      code: 'WORKFLOW_FAILED',
      member: {
        id: 'q.7',
        task: 'Bank.charge',
        position: 2,
        error: { name: 'Declined', message: 'no money', code: 'DECLINED' },
      },
    });
  });

  it('has no code for an error of a member without one', () => {
    const { member } = failureOfMember(WORKFLOW, failed({ name: 'Error', message: 'no' }), 0);
    expect(member?.error).toStrictEqual({ name: 'Error', message: 'no' });
  });

  it('may be seen by callers if the failure of the member may', () => {
    expect(failureOfMember(WORKFLOW, failed({ ...FAILURE, exposable: true }), 0)).toMatchObject({ exposable: true });
    expect(failureOfMember(WORKFLOW, failed(FAILURE), 0)).not.toHaveProperty('exposable');
  });

  it('does not have the stack of the member', () => {
    expect(JSON.stringify(failureOfMember(WORKFLOW, failed(FAILURE), 0))).not.toContain(FAILURE.stack);
  });

  it('calls a group by its kind, not by the name of its task', () => {
    const { message } = failureOfMember(WORKFLOW, failed(FAILURE, GROUP_TASK), 0);
    expect(message).toContain('the group (q.7), number 1: no money');
    expect(message).not.toContain(GROUP_TASK);
  });

  it('is that of the innermost member, however deeply it is nested', () => {
    const inner = failureOfMember({ id: 'q.9', name: GROUP_TASK }, failed(FAILURE), 4);
    const outer = failureOfMember(WORKFLOW, { id: 'q.9', state: 'failed', task: GROUP_TASK, failure: inner }, 0);
    expect(outer).toEqual(inner);
    expect(outer.member).toMatchObject({ id: 'q.7', position: 4 });
  });
});
