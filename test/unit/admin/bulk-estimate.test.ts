import { expect, it } from '@jest/globals';
import { BulkEstimate } from '../../../lib/admin/bulk/bulk-estimate.js';
import type { TaskFilter } from '../../../lib/admin/task-filter.js';
import type { ListSizes } from '../../../lib/engine/ports/list-port.js';

const sizes = (some: Partial<ListSizes>): ListSizes => ({
  ...{ queued: 0, delayed: 0, waiting: 0, running: 0, succeeded: 0, failed: 0 },
  ...some,
});

it('a filter of queue and state alone is about all tasks of its lists, in all queues', () => {
  const estimate = new BulkEstimate(
    [{ state: 'failed' }],
    [sizes({ failed: 30, succeeded: 5 }), sizes({ failed: 12 })],
  );
  expect(estimate.left).toBe(42);
  estimate.add(0, 10, 10);
  expect(estimate.left).toBe(32);
  // Tasks that came later, or that are no longer there.
  estimate.add(0, 50, 40);
  expect(estimate.left).toBe(0);
});

it('the share of the tasks that matched so far holds for the others', () => {
  const filter: TaskFilter = { state: 'failed', name: 'Mail.send' };
  const estimate = new BulkEstimate([filter], [sizes({ failed: 1_000 })]);
  expect(estimate.left).toBe(1_000);
  estimate.add(0, 200, 50);
  expect(estimate.left).toBe(200);
  estimate.end(0);
  expect(estimate.left).toBe(0);
});

it('each list counts once, whatever states are in it', () => {
  const filters: TaskFilter[] = [
    { state: 'succeeded' },
    { state: 'failed' },
    { state: 'cancelled' },
    { state: 'expired' },
  ];
  expect(new BulkEstimate(filters, [sizes({ succeeded: 3, failed: 4 })]).left).toBe(7);
});
