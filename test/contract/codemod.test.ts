import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { getQueueToken } from '@nestjs/bullmq';
import { TaskQueue } from 'nestjs-task-queue';
import type { Job, Queue } from 'bullmq';
import { BillingJob, BillingProcessor } from '../support/codemod/after/billing.processor.js';
import { MailProcessor } from '../support/codemod/after/mail.processor.js';
import { VideoProcessor } from '../support/codemod/after/video.processor.js';
import { Outside } from '../support/codemod/outside.js';
import { boot, type Booted } from '../support/boot.js';
import { describeEachDatabase } from '../support/engines.js';
import { until } from '../support/until.js';

/**
 * What the codemod makes of three processors runs the jobs that their producers stored. A unit test holds the files to what the
 * codemod writes.
 */
describeEachDatabase('processors after the codemod', (engine) => {
  let booted: Booted;
  let outside: Outside;

  beforeAll(async () => {
    VideoProcessor.disk.isFull = true;
    const queues = { mail: {}, video: {}, billing: {} };
    booted = await boot({ ...(await engine.place()), queues }, [
      MailProcessor,
      VideoProcessor,
      BillingProcessor,
      Outside,
    ]);
    outside = booted.app.get(Outside);
  });
  afterAll(() => booted.app.close());

  /** Adds a job as the old producers do, and waits for its end. */
  async function run(queueName: string, name: string, data: unknown, options = {}) {
    const queue = booted.app.get<Queue>(getQueueToken(queueName));
    const id = (await queue.add(name, data, options)).id as string;
    await until(async () => ['completed', 'failed'].includes(await queue.getJobState(id)), `job ${id} has ended`);
    const { returnvalue, failedReason, progress } = (await queue.getJob(id)) as Job;
    return { id, returnvalue: returnvalue as unknown, failedReason, progress };
  }
  const heard = (...call: unknown[]) =>
    until(() => outside.calls.some((each) => JSON.stringify(each) === JSON.stringify(call)), JSON.stringify(call));

  it('a switch with blocks, a helper, a break, the log and worker events', async () => {
    const welcome = await run('mail', 'welcome', { userId: 7, address: 'ann@example.com' });
    expect(welcome.returnvalue).toEqual({ sent: 1 });
    const { logs } = await booted.app.get<Queue>(getQueueToken('mail')).getJobLogs(welcome.id);
    expect(logs).toEqual([expect.stringContaining('to ann@example.com')]);
    const digest = await run('mail', 'weekly-digest', { userIds: [1, 2, 3] });
    expect(digest).toMatchObject({ returnvalue: { sent: 3 }, progress: { current: 3, total: 3 } });
    await run('mail', 'cleanup', { dryRun: true });
    await run('mail', 'cleanup', { dryRun: false });
    expect(outside.calls.filter(([what]) => what === 'cleanup')).toEqual([['cleanup', 'cleanup']]);
    expect(outside.calls).toContainEqual(['welcome', 7, true, 0]);
    await heard('completed', 'weekly-digest');
  });

  it('an error after which another attempt cannot help', async () => {
    const { failedReason } = await run('mail', 'welcome', { userId: 8 }, { attempts: 5 });
    expect(failedReason).toContain('User 8 has no address');
    await heard('failed', 'welcome', 'User 8 has no address');
  });

  it('a process() without switch, under both names, and a job that is put back', async () => {
    const first = await run('video', 'transcode', { path: '/a', pages: 4 }, { attempts: 1 });
    expect(first).toMatchObject({ returnvalue: { path: '/a.mp4' }, progress: 100 });
    expect(VideoProcessor.disk.isFull).toBe(false);
    expect((await run('video', 'transcode-again', { path: '/b', pages: 1 })).returnvalue).toEqual({ path: '/b.mp4' });
  });

  it('names from an enum, code around the switch, cases that share their code', async () => {
    const order = { orderId: 'o-1', cents: 1999 };
    const charged = await run('billing', BillingJob.CHARGE_CARD, order);
    expect(charged.returnvalue).toMatch(/^charge/);
    await run('billing', BillingJob.REFUND, order, { attempts: 3 });
    expect(outside.calls).toContainEqual(['refund', 'o-1', 'asked', 3]);
    await run('billing', BillingJob.SEND_INVOICE, order);
    expect(outside.calls.filter(([what]) => what === 'took')).toHaveLength(3);
  });

  it('producers of this package call the same methods', async () => {
    const { sendDigest } = booted.app.get(TaskQueue).of(MailProcessor);
    await expect((await sendDigest.enqueue({ userIds: [9] })).result({ timeout: '20s' })).resolves.toEqual({ sent: 1 });
  });
});
