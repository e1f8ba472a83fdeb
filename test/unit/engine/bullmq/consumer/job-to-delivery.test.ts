import { describe, expect, it, jest } from '@jest/globals';
import type { Job } from 'bullmq';
import { toDelivery } from '../../../../../lib/engine/bullmq/consumer/job-to-delivery.js';
import type { JobData } from '../../../../../lib/engine/bullmq/jobs/job-data.js';
import type { MemberFlows } from '../../../../../lib/engine/bullmq/operations/member-flows.js';
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

const results = jest.fn<MemberFlows['results']>();
const interruption = new Interruption();
const progress = async () => undefined;
const log = async () => undefined;

function deliveryOf(data: JobData | undefined): Delivery {
  return toDelivery(JOB, 'mail', data, interruption, { flows: { results } as unknown as MemberFlows, progress, log });
}

describe('the delivery of a job', () => {
  it('has every field of a task', () => {
    const { members: _, ...delivery } = deliveryOf({ args: ['ada', 1], headers: { owner: 'ada' } });
    expect(delivery).toStrictEqual({
      id: 'mail.1',
      name: 'Mail.send',
      queue: 'mail',
      args: ['ada', 1],
      headers: { owner: 'ada' },
      options: { attempts: 3, timeout: 100 },
      attempt: 2,
      starts: 4,
      abandoned: 1,
      enqueuedAt: NOW,
      root: 'mail.1',
      memberCount: 0,
      interruption,
      progress,
      log,
    });
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
    expect(results).toHaveBeenLastCalledWith(JOB, members);
  });

  it('reads the results of no member when it has none', async () => {
    results.mockResolvedValue([]);
    expect(await deliveryOf({ args: [] }).members()).toEqual([]);
    expect(results).toHaveBeenLastCalledWith(JOB, []);
  });
});
