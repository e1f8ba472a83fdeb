import type { JSX } from 'preact';
import type { TaskView } from '../../lib/dashboard/api/api-types.js';
import { duration, hourOf } from '../format.js';
import { now, overview } from '../live.js';
import { Card, State, Text } from './bits.js';

interface Lane {
  readonly key: string;
  readonly state: string;
  readonly text: string;
  readonly sub?: string | undefined;
  readonly from: number;
  readonly to: number;
  readonly thin: boolean;
}

/** The attempts that are drawn; earlier ones are counted. */
const MOST_ATTEMPTS = 6;

/** A lane for each wait and each attempt on a true axis of time. */
export function Timeline({ task }: { task: TaskView }): JSX.Element | null {
  const lanes = lanesOf(task);
  const [first] = lanes;
  if (!first) return null;
  const start = first.from;
  const end = Math.max(...lanes.map(({ to }) => to), start + 1);
  const span = end - start;
  const at = (time: number) => `${(((time - start) / span) * 100).toFixed(2)}%`;
  const step = niceStep(span / 4);
  const ticks = Array.from({ length: Math.min(Math.floor(span / step) + 1, 8) }, (_, place) => start + place * step);
  const hidden = Math.max(task.attempts.length - MOST_ATTEMPTS, 0);
  const grid = ticks.map((tick) => (
    <line key={tick} class="gridline" x1={at(tick)} x2={at(tick)} y1="-50%" y2="150%" />
  ));
  return (
    <Card title="Timeline" aside={`${duration(span)} since it was enqueued at ${hourOf(Date.parse(task.enqueuedAt))}`}>
      <ol class="lanes">
        <li class="lane axis" aria-hidden="true">
          <span />
          <svg class="track">
            {ticks.map((tick, place) => (
              <text
                key={tick}
                x={at(tick)}
                y="70%"
                text-anchor={place === 0 ? 'start' : tick - start > span * 0.92 ? 'end' : 'middle'}
              >
                {place === 0 ? hourOf(tick) : `+${duration(tick - start)}`}
              </text>
            ))}
          </svg>
          <span />
        </li>
        {lanes.map((lane) => (
          <li key={lane.key} class="lane">
            <span>
              <State state={lane.state}>{lane.text}</State>{' '}
              {lane.sub && (
                <span class="soft cut">
                  <Text>{lane.sub}</Text>
                </span>
              )}
            </span>
            <svg class="track" aria-hidden="true" data-state={lane.state}>
              {grid}
              <rect
                class={lane.thin ? 'thin' : ''}
                x={at(lane.from)}
                width={`${Math.max(((lane.to - lane.from) / span) * 100, 0.4).toFixed(2)}%`}
                y={lane.thin ? '42%' : '18%'}
                height={lane.thin ? '16%' : '64%'}
                rx="2.500"
              />
            </svg>
            <span class="num">{duration(lane.to - lane.from)}</span>
          </li>
        ))}
      </ol>
      {hidden > 0 && <footer>{hidden} earlier attempts are not drawn; their errors stand below.</footer>}
    </Card>
  );
}

function lanesOf(task: TaskView): Lane[] {
  const enqueued = Date.parse(task.enqueuedAt);
  const known = task.attempts.filter((attempt) => attempt.startedAt !== null).slice(-MOST_ATTEMPTS);
  const isOver = task.finishedAt !== null;
  const lanes: Lane[] = [];
  let from = enqueued;
  for (const [place, attempt] of known.entries()) {
    const begin = Date.parse(attempt.startedAt as string);
    if (begin - from > 0)
      lanes.push({
        key: `wait-${place}`,
        state: place === 0 ? 'queued' : 'retrying',
        text: place === 0 ? 'Waited' : 'Waits to retry',
        from,
        to: begin,
        thin: true,
      });
    const end =
      attempt.endedAt === null
        ? attempt.outcome === null
          ? Math.max(now.value, begin)
          : begin + 1
        : Date.parse(attempt.endedAt);
    const outcome = attempt.outcome ?? 'running';
    const host = overview.value?.workers.find(({ id }) => id === attempt.worker)?.host;
    lanes.push({
      key: `attempt-${place}`,
      state: outcome === 'retry' ? 'failed' : outcome,
      text: `Attempt ${attempt.number}`,
      sub: host,
      from: begin,
      to: Math.max(end, begin + 1),
      thin: false,
    });
    from = Math.max(end, begin);
  }
  const isRunning = known.at(-1)?.outcome === null && known.length > 0;
  if (!isOver && !isRunning && task.state !== 'running')
    lanes.push({
      key: 'waits',
      state: task.state,
      text: known.length > 0 ? 'Waits to retry' : 'Waits',
      from,
      to: Math.max(now.value, from + 1),
      thin: true,
    });
  if (isOver && known.length === 0)
    lanes.push({
      key: 'ended',
      state: task.state,
      text: 'Never started',
      from: enqueued,
      to: Math.max(Date.parse(task.finishedAt), enqueued + 1),
      thin: true,
    });
  return lanes;
}

/** The next of 1, 2, 5, 10 … of a unit that is read easily. */
function niceStep(least: number): number {
  const steps = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5,
    216e5, 432e5, 864e5,
  ];
  return steps.find((step) => step >= least) ?? Math.ceil(least / 864e5) * 864e5;
}
