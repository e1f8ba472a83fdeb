import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { BulkResult } from '../../lib/admin/bulk/bulk-tally.js';
import type { TaskView } from '../../lib/dashboard/api/api-types.js';
import { read } from '../api.js';
import { count, plural } from '../format.js';
import { statuses, watchActs } from '../live.js';
import { href } from '../router.js';
import { perform } from './acts.js';
import { Text } from './bits.js';
import { changes } from './changes.js';
import { Icon } from './icon.js';

/** An act on many tasks that this page has started. It is a task of its own. */
interface Job {
  readonly id: string;
  readonly text: string;
  /** How many tasks it is about, as far as the page knows. */
  readonly total?: number | undefined;
}

/** The list outlives a reload of the page. */
const KEY = 'task-dashboard-jobs';
const jobs = signal<readonly Job[]>([]);

export function startJobs(): void {
  jobs.value = stored();
  watchActs(jobs.value.map(({ id }) => id));
}

function stored(): readonly Job[] {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? '[]') as readonly Job[];
  } catch {
    return [];
  }
}

function setJobs(list: readonly Job[]): void {
  jobs.value = list;
  watchActs(list.map(({ id }) => id));
  try {
    sessionStorage.setItem(KEY, JSON.stringify(list));
  } catch {
    // A browser may refuse to keep anything.
  }
}

export function addJob(job: Job): void {
  setJobs([...jobs.peek(), job]);
}

/** The acts on many tasks, each with its progress, its result and a button that stops it. */
export function Jobs(): JSX.Element | null {
  if (jobs.value.length === 0) return null;
  return (
    <section class="card" aria-label="Acts on many tasks">
      {jobs.value.map((job) => (
        <JobStrip key={job.id} job={job} onClose={() => setJobs(jobs.value.filter(({ id }) => id !== job.id))} />
      ))}
    </section>
  );
}

function JobStrip({ job: { id, text, total }, onClose }: { job: Job; onClose: () => void }): JSX.Element {
  const status = statuses.value.get(id);
  const [result, setResult] = useState<BulkResult | undefined>(undefined);
  const isGone = status === null;
  const state = isGone ? 'expired' : (status?.state ?? 'queued');
  const isOver = ['succeeded', 'failed', 'cancelled', 'expired'].includes(state);
  const done = status?.progress?.current ?? 0;
  useEffect(() => {
    if (!isOver) return;
    changes.value++;
    if (state !== 'succeeded') return;
    void read<TaskView>(['task', id])
      .then((task) => setResult(task.result?.value as unknown as BulkResult))
      .catch(() => undefined);
  }, [isOver]);
  return (
    <div class="job">
      <span class="state" data-state={state}>
        <Icon name={state} />
        <Text>{text}</Text>
      </span>
      {isOver ? (
        <span />
      ) : total === undefined ? (
        <progress aria-label={text} />
      ) : (
        <progress aria-label={text} value={Math.min(done, total)} max={total} />
      )}
      <span role="status">
        <Text>{outcome()}</Text>
      </span>
      <span class="row">
        <a class="button tiny" href={href(['tasks', id])}>
          Details
        </a>
        {isOver ? (
          <button type="button" class="tiny square" aria-label="Close" onClick={onClose}>
            <Icon name="close" />
          </button>
        ) : (
          <button type="button" class="tiny" onClick={() => void perform('cancel', { id }, 'The act stops.')}>
            Stop
          </button>
        )}
      </span>
    </div>
  );

  function outcome(): string {
    if (isGone) return 'Its record is no longer stored.';
    if (state === 'succeeded') return result ? resultOf(result) : `Done: ${plural(done, 'task')}.`;
    if (isOver) return `${state}${status?.error ? `: ${status.error.message}` : ''}`;
    if (state === 'queued') return 'waits for a worker';
    return total === undefined ? `${count(done)} so far` : `${count(done)} of ${count(total)}`;
  }
}

/** The result in words, with the first reason of a refusal. The details have all reasons. */
function resultOf({ done, refused, refusedCount }: BulkResult): string {
  if (refusedCount === 0) return `Done: ${plural(done, 'task')}.`;
  const reason = refused[0] ? `: ${refused[0].reason}` : '';
  return `Done: ${count(done)} of ${plural(done + refusedCount, 'task')}. ${count(refusedCount)} refused${reason}`;
}
