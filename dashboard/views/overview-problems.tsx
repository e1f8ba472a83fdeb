import type { JSX } from 'preact';
import type { QueueInfo } from '../../lib/admin/queue-overview.js';
import type { Overview } from '../../lib/dashboard/api/api-types.js';
import type { Finding } from '../../lib/engine/ports/diagnosis-port.js';
import { ago, dayAndHour, exact, hourOf, isZoneKnown } from '../format.js';
import { now } from '../live.js';
import { Act } from '../parts/acts.js';
import { Ago, Text } from '../parts/bits.js';
import { Icon } from '../parts/icon.js';
import { href } from '../router.js';
import { resume } from './pause-queue.js';

/** What is wrong right now, each with what helps. */
export function Problems({ of }: { of: Overview }): JSX.Element {
  if (of.problems.length === 0) {
    return (
      <section class="card calm" aria-label="What is wrong right now">
        <Icon name="succeeded" />
        <div>
          <p>
            <strong>Nothing is wrong.</strong> No queue stands still, no worker was lost, no schedule is broken.
          </p>
          <p class="soft">
            Read <Ago time={of.at} />.
          </p>
        </div>
      </section>
    );
  }
  return (
    <section class="card problems" aria-labelledby="wrong">
      <h2 class="quiet" id="wrong">
        What is wrong right now
      </h2>
      {of.problems.map((problem) => (
        <Problem key={problem.text} problem={problem} queues={of.queues} />
      ))}
    </section>
  );
}

function Problem({ problem, queues }: { problem: Finding; queues: readonly QueueInfo[] }): JSX.Element {
  const queue = queues.find(({ name }) => problem.text.startsWith(`Queue ${name} `));
  const [first = '', ...others] = problem.text.split(/(?<=\.)\s/);
  return (
    <div class={`problem ${problem.level === 'fail' ? 'bad' : 'warn'}`}>
      <Icon name={problem.level === 'fail' ? 'fail' : 'warn'} />
      <div>
        <p>
          <strong>
            <Times text={first} />
          </strong>{' '}
          <Times text={others.join(' ')} />
        </p>
        {problem.check !== 'paused' && problem.cure && (
          <p>
            <Text>{problem.cure}</Text>
          </p>
        )}
      </div>
      <div class="row">
        {problem.check === 'paused' && queue ? (
          <Act icon="play" onClick={() => resume(queue.name)}>
            Resume
          </Act>
        ) : problem.check === 'schedules' ? (
          <a class="button" href={href(['schedules'])}>
            See the schedules
          </a>
        ) : problem.check === 'backlog' && queue ? (
          <a class="button" href={href(['tasks'], { queue: queue.name, state: 'running' })}>
            See what runs
          </a>
        ) : (
          <a class="button" href={href(['workers'])}>
            See the workers
          </a>
        )}
      </div>
    </div>
  );
}

/** A problem comes with times in UTC, as the command line prints it. The reader gets them in the zone of the browser. */
function Times({ text }: { text: string }): JSX.Element {
  return (
    <Text>
      {text.split(/(\d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC)/).map((part, place_) => {
        if (place_ % 2 === 0) return part;
        const at = Date.parse(part.replace(' UTC', 'Z').replace(' ', 'T'));
        const isToday = now.value - at < 43_200_000;
        return (
          <time key={part} dateTime={new Date(at).toISOString()} title={exact(at)}>
            {isZoneKnown.value ? isToday ? hourOf(at) : dayAndHour(at) : <Unknown isToday={isToday} />},{' '}
            {ago(at, now.value)}
          </time>
        );
      })}
    </Text>
  );
}

/** Keeps the room of a time that is not known yet. */
function Unknown({ isToday }: { isToday: boolean }): JSX.Element {
  return <span class="unknown">{isToday ? '00:00' : '00 Jan, 00:00'}</span>;
}
