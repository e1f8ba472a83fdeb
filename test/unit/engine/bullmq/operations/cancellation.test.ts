import { beforeEach, describe, expect, it } from '@jest/globals';
import type { JobData } from '../../../../../lib/engine/bullmq/jobs/job-data.js';
import {
  cancelRequests,
  removeCancelRequest,
  requestCancels,
  withoutMark,
} from '../../../../../lib/engine/bullmq/operations/cancellation.js';

const NOW = Date.UTC(2026, 0, 1);
const DATA: JobData = { args: [1], headers: { owner: 'ada' }, root: 'q.root', note: { step: 1 } };

describe('the mark in the data of a job', () => {
  it('is removed, and the other data stay', () => {
    expect(withoutMark({ ...DATA, cancelled: { at: NOW, reason: 'enough', starts: 1 } })).toStrictEqual(DATA);
  });

  it('of a failed member is removed, too', () => {
    const failure = { name: 'Error', message: 'no' };
    expect(withoutMark({ ...DATA, failed: { at: NOW, failure } })).toStrictEqual(DATA);
  });

  it('cannot be removed from data without it', () => {
    expect(withoutMark(DATA)).toBeUndefined();
  });
});

/** The metadata of a queue: BullMQ's own fields, and those of the requests. */
class Metadata {
  readonly fields = new Map([['version', 'bullmq:6']]);

  async setQueueMeta(fields: Record<string, unknown>): Promise<void> {
    for (const [name, value] of Object.entries(fields)) this.fields.set(name, String(value));
  }

  async getQueueMetaFields(names: string[]): Promise<(string | null)[]> {
    return names.map((name) => this.fields.get(name) ?? null);
  }

  async removeQueueMetaFields(names: string[]): Promise<void> {
    for (const name of names) this.fields.delete(name);
  }
}

describe('the request in the metadata of the queue', () => {
  let metadata: Metadata;

  beforeEach(() => void (metadata = new Metadata()));

  const request = (id: string, reason?: string) =>
    requestCancels(metadata as never, [{ id, at: NOW, ...(reason !== undefined && { reason }) }]);
  const requests = (...ids: string[]) => cancelRequests(metadata as never, ids);
  const remove = (id: string) => removeCancelRequest(metadata as never, id);

  it('is found under the id of its task, in the order of the ids', async () => {
    await request('q.1', 'enough');
    await request('q.2');
    expect(await requests('q.3', 'q.2', 'q.1')).toEqual([null, '', 'enough']);
  });

  it('is replaced by a later request', async () => {
    await request('q.1', 'first');
    await request('q.1', 'second');
    expect(await requests('q.1')).toEqual(['second']);
  });

  it('is removed alone', async () => {
    await request('q.1');
    await request('q.2');
    await remove('q.1');
    expect(await requests('q.1', 'q.2')).toEqual([null, '']);
  });

  it('touches no other field', async () => {
    await request('version', 'a task of this name');
    expect(metadata.fields.get('version')).toBe('bullmq:6');
    await remove('version');
    expect(metadata.fields).toEqual(new Map([['version', 'bullmq:6']]));
  });

  it('is stored in the field that docs/architecture.md and other versions of this package know', async () => {
    await request('q.1');
    expect([...metadata.fields.keys()]).toContain('cancel:q.1');
  });
});
