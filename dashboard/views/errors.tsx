import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ErrorGroup } from '../../lib/admin/error-groups.js';
import type { Errors, Series } from '../../lib/dashboard/api/api-types.js';
import { ago, count, names, plural } from '../format.js';
import { now, overview } from '../live.js';
import { Act, ask, perform } from '../parts/acts.js';
import { Ago, Card, Empty, Head, Tabs, Text } from '../parts/bits.js';
import { Icon } from '../parts/icon.js';
import { Part, useResource } from '../parts/resource.js';
import { Bars } from '../parts/spark.js';
import { go, href, place, withQuery } from '../router.js';

const SPANS = [
  ['1h', 'Hour'],
  ['24h', 'Day'],
  ['7d', 'Week'],
  ['', 'All'],
] as const;

export function ErrorsView(): JSX.Element {
  const { query } = place.value;
  const queue = query.get('queue') ?? undefined;
  const since = query.get('since') ?? '24h';
  const order = query.get('order') ?? 'often';
  const wanted = since === 'all' ? undefined : since;
  const text = query.get('text') ?? undefined;
  const errors = useResource<Errors>(['errors'], { queue, since: wanted, text }, Math.floor(now.value / 10_000), {
    keep: true,
  });
  const span = since === '1h' ? 'hour' : since === '24h' ? 'day' : 'week';
  const series = useResource<Series>(['series'], { span, queue }, Math.floor(now.value / 60_000));
  const tasks = errors.data?.items.reduce((sum, group) => sum + group.count, 0) ?? 0;
  return (
    <>
      <Head
        title="Errors"
        acts={
          <Tabs
            label="Span of time"
            items={SPANS.map(([value, name]) => ({
              key: name,
              text: name,
              href: withQuery({ since: value === '24h' ? undefined : value || 'all' }),
              on: (value || 'all') === since,
            }))}
          />
        }
      >
        {errors.data
          ? `${plural(tasks, 'stored task')} failed for good ${since === 'all' ? 'so far' : `in this time`}, for ${plural(errors.data.items.length, 'reason')}.`
          : 'Reading the failed tasks …'}
      </Head>
      <div class="row">
        <label class="row">
          Queue
          <select
            value={queue ?? ''}
            onChange={(event) => go(withQuery({ queue: event.currentTarget.value || undefined }))}
          >
            <option value="">all</option>
            {(overview.value?.queues ?? []).map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label class="row">
          Order
          <select
            value={order}
            onChange={(event) =>
              go(withQuery({ order: event.currentTarget.value === 'often' ? undefined : event.currentTarget.value }))
            }
          >
            <option value="often">most often</option>
            <option value="last">last seen</option>
            <option value="new">newest reason</option>
          </select>
        </label>
        <Search text={text ?? ''} names={errors.data?.items.flatMap(({ name, tasks: of }) => [name, ...of]) ?? []} />
        {series.data && (
          <span class="row soft all-failed">
            All failures <Bars values={series.data.points.map(({ failed }) => failed)} />
          </span>
        )}
      </div>
      <Part of={errors} what="The errors" rows={6}>
        {(data) => (
          <Card>
            {data.items.length === 0 ? (
              <Empty
                icon={text ? 'search' : 'succeeded'}
                title={text ? 'No error matches' : 'No task failed'}
                acts={
                  <>
                    {text && (
                      <a class="button" href={withQuery({ text: undefined })}>
                        Clear the search
                      </a>
                    )}
                    {since !== 'all' && (
                      <a class="button" href={withQuery({ since: 'all' })}>
                        Show all of time
                      </a>
                    )}
                  </>
                }
              >
                {text
                  ? `No error ${queue ? `in ${queue} ` : ''}of this time has “${text}” in its name, its message or the names of its tasks.`
                  : `No stored task failed for good ${queue ? `in ${queue} ` : ''}in this time. Failed tasks appear here, grouped by their error.`}
              </Empty>
            ) : (
              sorted(data.items, order).map((group) => <Group key={group.fingerprint} group={group} queue={queue} />)
            )}
            <footer>
              Errors are grouped by name and message. Numbers, ids, quoted values and URLs do not count.
              {!data.complete && ' Counted over the newest 10,000 failed tasks.'}
            </footer>
          </Card>
        )}
      </Part>
    </>
  );
}

/** Words that all have to be in the name, the message or the names of the tasks. */
function Search({ text, names: known }: { text: string; names: readonly string[] }): JSX.Element {
  const [typed, setTyped] = useState(text);
  const timer = useRef<number | undefined>(undefined);
  useEffect(() => setTyped(text), [text]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const search = (value: string) => {
    clearTimeout(timer.current);
    go(withQuery({ text: value.trim() || undefined }), { replace: true });
  };
  return (
    <form
      class="find"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        search(typed);
      }}
    >
      <Icon name="search" />
      <input
        type="search"
        data-search
        aria-label="Search errors"
        list="error-words"
        placeholder="Words of a message, an error or a task"
        value={typed}
        onInput={({ currentTarget: { value } }) => {
          setTyped(value);
          clearTimeout(timer.current);
          timer.current = window.setTimeout(() => search(value), 300);
        }}
      />
      <kbd aria-hidden="true">/</kbd>
      <datalist id="error-words">
        {[...new Set(known)].map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </form>
  );
}

function sorted(items: readonly ErrorGroup[], order: string): readonly ErrorGroup[] {
  if (order === 'last') return items.toSorted((one, other) => Date.parse(other.last) - Date.parse(one.last));
  if (order === 'new') return items.toSorted((one, other) => Date.parse(other.first) - Date.parse(one.first));
  return items;
}

function Group({ group, queue }: { group: ErrorGroup; queue: string | undefined }): JSX.Element {
  const { fingerprint, name, message, count: amount, first, last, example, tasks, counts = [] } = group;
  const filter = { state: 'failed', error: fingerprint, ...(queue !== undefined && { queue }) };
  const retry = () =>
    ask({
      title: `Retry ${plural(amount, 'task')}?`,
      text: `All stored tasks that failed with this error run again under their ids, and their workflows go on. First see that the reason is gone.`,
      button: `Retry ${plural(amount, 'task')}`,
      fields: (values, set) => (
        <label class="field">
          <span>At most, in a second</span>
          <input
            inputMode="numeric"
            placeholder="as fast as possible"
            value={values['rate'] ?? ''}
            onInput={(event) => set('rate', event.currentTarget.value)}
          />
        </label>
      ),
      run: ({ rate }) =>
        perform(
          'retryAll',
          { filter, ...(rate ? { rate: Number(rate) } : {}) },
          `Retry ${plural(amount, 'task')} with ${name}`,
          { total: amount },
        ),
    });
  return (
    <div class="print">
      <div>
        <h2>
          <a class="plain" href={href(['tasks'], filter)}>
            <Text>{name}</Text>
          </a>{' '}
          {now.value - Date.parse(first) < 3_600_000 && <span class="tag new">new</span>}
        </h2>
        <p class="clamp wrap" dir="auto">
          <Holes text={message} />
        </p>
        <p class="sub">
          <Text>{names(tasks, 4)}</Text>
        </p>
      </div>
      <p>
        <a class="plain" href={href(['tasks'], filter)}>
          <span class="big">{count(amount)}</span> <span class="sub block">{amount === 1 ? 'task' : 'tasks'}</span>
        </a>
      </p>
      <div class="seen">
        <Bars values={counts} />
        <p class="sub">
          {ago(Date.parse(first), now.value) === ago(Date.parse(last), now.value) ? (
            <Ago time={last} />
          ) : (
            <>
              <Ago time={first} /> to <Ago time={last} />
            </>
          )}
        </p>
      </div>
      <p class="acts">
        <a class="button tiny" href={href(['tasks', example.id])}>
          An example
        </a>{' '}
        <Act class="tiny" icon="retrying" onClick={retry}>
          Retry {amount === 1 ? 'it' : `all ${count(amount)}`}
        </Act>
      </p>
    </div>
  );
}

/** What was left out of a message is drawn as a gap. */
function Holes({ text }: { text: string }): JSX.Element {
  return (
    <>
      {text.split(/(<(?:number|id|value|url)>)/).map((part, at) =>
        at % 2 === 1 ? (
          <span key={at} class="hole">
            {part.slice(1, -1)}
          </span>
        ) : (
          part
        ),
      )}
    </>
  );
}
