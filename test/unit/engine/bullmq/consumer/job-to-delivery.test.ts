import { describe, expect, it, jest } from '@jest/globals';
import type { Job } from 'bullmq';
import { toDelivery } from '../../../../../lib/engine/bullmq/consumer/job-to-delivery.js';
import type { JobData } from '../../../../../lib/engine/bullmq/jobs/job-data.js';
import { writeFailure } from '../../../../../lib/engine/bullmq/jobs/job-failure.js';
import type { MemberFlows } from '../../../../../lib/engine/bullmq/operations/member-flows.js';
import type { MemberReader } from '../../../../../lib/engine/bullmq/operations/member-reader.js';
import { Interruption } from '../../../../../lib/engine/interruption.js';
import type { Delivery } from '../../../../../lib/engine/ports/worker-port.js';

const NOW = Date.UTC(2026, 0, 1);
const JOB = {
  id: 'mail.1',
  name: 'Mail.send',
  opts: { attempts: 3, delay: 5, task: { timeout: 100 } },
  attemptsMade: 1,
  attemptsStarted: 4,
  stalledCounter: 1,
  timestamp: NOW,
} as unknown as Job;

const results = jest.fn<MemberReader['results']>();
const firstFailed = jest.fn<MemberReader['firstFailed']>();
const membersOf = jest.fn((..._of: Parameters<MemberFlows['membersOf']>) => ({ results, firstFailed }));
const interruption = new Interruption();
const progress = async () => undefined;
const log = async () => undefined;
const started = () => undefined;
const mark = () => undefined;

function deliveryOf(data: JobData | undefined, stacktrace: string[] = []): Delivery {
  const flows = { membersOf } as unknown as MemberFlows;
  return toDelivery(Object.assign(Object.create(JOB) as Job, { data, stacktrace }), 'mail', data, interruption, {
    flows,
    progress,
    log,
    started,
    mark,
    completion: undefined,
  });
}

describe('the delivery of a job', () => {
  it('has every field of a task', () => {
    const {
      members: _,
      failedMember: __,
      markBefore: ___,
      ...delivery
    } = deliveryOf({ args: ['ada', 1], headers: { owner: 'ada' } });
    expect(delivery).toStrictEqual({
      id: 'mail.1',
      name: 'Mail.send',
      queue: 'mail',
      args: ['ada', 1],
      headers: { owner: 'ada' },
      options: { attempts: 3, timeout: 100 },
      attempt: 2,
      starts: 4,
      returns: 2,
      abandoned: 1,
      reruns: 0,
      enqueuedAt: NOW,
      root: 'mail.1',
      memberCount: 0,
      interruption,
      progress,
      log,
      started,
      mark,
    });
  });

  it('has the mark of the attempt before, also of one before a caller ran the task again', () => {
    const attempt = { number: 1, started: NOW, ended: NOW, outcome: 'retry', lost: 0 } as const;
    const { stack } = writeFailure({ name: 'Error', message: 'no' }, { ...attempt, mark: 'first', worker: undefined });
    const unmarked = writeFailure({ name: 'Error', message: 'no' }, { ...attempt, worker: undefined }).stack;
    const before = (...all: Parameters<typeof deliveryOf>) => deliveryOf(...all).markBefore();
    expect(before({ args: [] })).toBeUndefined();
    expect(before({ args: [] }, ['Error: of a foreign worker'])).toBeUndefined();
    expect(before({ args: [] }, [unmarked, stack])).toBe('first');
    expect(before({ args: [] }, [stack, unmarked])).toBeUndefined();
    expect(before({ args: [], rerun: { count: 1, abandoned: 0, stacks: [stack] } })).toBe('first');
  });

  it('does not count looks at members, nor what was before a caller ran the task again', () => {
    const data: JobData = { args: [], looks: 3, rerun: { count: 2, abandoned: 1 } };
    expect(deliveryOf(data)).toMatchObject({ starts: 1, reruns: 2, abandoned: 0 });
  });

  it('tells how often the task was given back, by workers of every version', () => {
    expect(deliveryOf({ args: [], looks: 2, returns: 2 })).toMatchObject({ starts: 2, returns: 2 });
    expect(deliveryOf({ args: [], looks: 1 })).toMatchObject({ starts: 3, returns: 1 });
    expect(deliveryOf({ args: [], looks: 3 })).toMatchObject({ starts: 1, returns: 0 });
  });

  it('counts the attempts that it used up as a part of another task', () => {
    expect(deliveryOf({ args: [], note: { tried: 2 } }).attempt).toBe(4);
  });

  it('has no arguments when the job is no task', () => {
    expect(deliveryOf(undefined)).toMatchObject({ args: undefined, headers: {}, root: 'mail.1', memberCount: 0 });
  });

  it('has the root and the note of its workflow', () => {
    expect(deliveryOf({ args: [], root: 'mail.root', note: { step: 2 } })).toMatchObject({
      root: 'mail.root',
      note: { step: 2 },
    });
  });

  it('counts the members of all ranges', async () => {
    const members = [
      { queue: 'a', count: 2 },
      { queue: 'b', count: 3 },
    ];
    const delivery = deliveryOf({ args: [], members });
    expect(delivery.memberCount).toBe(5);
    results.mockResolvedValue([]);
    await delivery.members();
    expect(membersOf).toHaveBeenLastCalledWith(expect.objectContaining({ id: 'mail.1' }), members);
    expect(results).toHaveBeenCalledTimes(1);
    await delivery.failedMember(4);
    expect(firstFailed).toHaveBeenCalledWith(4);
  });

  it('reads the results of no member when it has none', async () => {
    results.mockResolvedValue([]);
    expect(await deliveryOf({ args: [] }).members()).toEqual([]);
    expect(membersOf).toHaveBeenLastCalledWith(expect.objectContaining({ id: 'mail.1' }), []);
  });
});
