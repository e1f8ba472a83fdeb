import { expect, test } from '@jest/globals';
import { problemsOf } from '../../../lib/admin/problems.js';
import type { QueueInfo } from '../../../lib/admin/queue-overview.js';
import type { WorkerInfo } from '../../../lib/admin/worker-info.js';
import { statusText } from '../../../lib/cli/commands/status.js';
import { styleFor } from '../../../lib/cli/style.js';
import { toTable } from '../../../lib/cli/table.js';

const NOW = Date.parse('2026-11-27T03:10:05.000Z');
const style = styleFor({ env: {}, width: undefined });
const out = {
  style,
  table: <T>(rows: readonly T[], columns: Parameters<typeof toTable<T>>[1]) => toTable(rows, columns, style, undefined),
};

const queue = (name: string, counts: Partial<QueueInfo['counts']> = {}, more: Partial<QueueInfo> = {}) =>
  ({
    name,
    paused: false,
    counts: { queued: 0, scheduled: 0, waiting: 0, running: 0, succeeded: 0, failed: 0, ...counts },
    oldestQueuedAt: null,
    workers: 1,
    tasks: [],
    pausedBy: null,
    lastMinute: { succeeded: 0, failed: 0, retried: 0 },
    ...more,
  }) as QueueInfo;

const worker = (state: WorkerInfo['state'], host: string) =>
  ({ id: host, host, pid: 17, state, seenAt: '2026-11-27T03:08:00.000Z' }) as WorkerInfo;

test('a healthy store', () => {
  const report = {
    place: 'Redis at db:6379, prefix tasks',
    queues: [queue('default', { succeeded: 1_234 }, { lastMinute: { succeeded: 12, failed: 1, retried: 0 } })],
    workers: [worker('alive', 'a')],
  };
  expect(statusText({ ...report, problems: [] }, out, NOW)).toBe(
    `Redis at db:6379, prefix tasks  1 worker, 03:10:05 UTC

QUEUE    STATE  QUEUED  OLDEST  RUNNING  SCHEDULED  WAITING  SUCCEEDED  FAILED      LAST MINUTE  WORKERS
default  open        0       –        0          0        0      1,234       0  12 ok, 1 failed        1

All is well.
`,
  );
});

test('the stuck queue at three in the morning', () => {
  const queues = [
    queue('mail', { queued: 12, failed: 3 }, { paused: true, oldestQueuedAt: '2026-11-27T02:40:05.000Z' }),
    queue('reports', { queued: 1, scheduled: 1 }, { workers: 0, oldestQueuedAt: '2026-11-27T03:10:00.000Z' }),
    queue('thumbnails', { queued: 900, running: 10 }, { oldestQueuedAt: '2026-11-26T23:10:05.000Z' }),
  ];
  const workers = [worker('alive', 'a'), worker('lost', 'b')];
  const schedules = [{ id: 'nightly', broken: 'the cron expression is not valid.' }];
  const problems = problemsOf({ queues, workers, schedules, now: NOW });
  expect(statusText({ place: 'Redis at db:6379, prefix tasks', queues, workers, problems }, out, NOW)).toBe(
    `Redis at db:6379, prefix tasks  1 worker, 03:10:05 UTC

QUEUE       STATE      QUEUED  OLDEST  RUNNING  SCHEDULED  WAITING  SUCCEEDED  FAILED  LAST MINUTE  WORKERS
mail        paused         12     30m        0          0        0          0       3            –        1
reports     no worker       1      5s        0          1        0          0       0            –        0
thumbnails  open          900      4h       10          0        0          0       0            –        1

✗ Queue mail is paused: 12 tasks wait, the oldest for 30 minutes.
  → npx nestjs-task-queue resume mail
✗ Queue reports has 2 tasks, and no worker takes from it.
  → Start the application that declares its tasks, with the role both or worker. See consume and TASK_QUEUE_CONSUME, and the name of the queue.
✗ The schedule nightly is broken and does not run: the cron expression is not valid.
  → Set it again with TaskSchedules.upsert(), or remove it.
! Queue thumbnails is behind: 900 tasks wait, the oldest for 4 hours, 10 tasks run.
  → See what runs for long (npx nestjs-task-queue list --queue thumbnails --running-for 5m), then add workers or raise concurrency.
! 1 worker was lost in the last ten minutes: b (process 17, last seen 2026-11-27 03:08 UTC).
  → Tasks of lost workers run again elsewhere by themselves. See why the process ended: its log, the memory limit of its host, the deploy.
`,
  );
});

test('a pause says by whom and why', () => {
  const act = { by: 'ann', at: '2026-11-27T03:00:00.000Z', reason: 'smtp is down' };
  const paused = { ...queue('mail', { queued: 1 }, { paused: true }), pausedBy: act };
  expect(problemsOf({ queues: [paused], workers: [], schedules: [], now: NOW })[0]?.text).toBe(
    'Queue mail is paused by ann since 2026-11-27 03:00 UTC (smtp is down): 1 task waits.',
  );
});

test('a store without a queue', () => {
  const report = { place: 'Redis', queues: [], workers: [], problems: [] };
  expect(statusText(report, out, NOW)).toContain('There is no queue yet.\n');
});
