import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Errors } from '../../lib/dashboard/api/api-types.js';
import { overview } from '../live.js';
import { Text } from '../parts/bits.js';
import { Icon } from '../parts/icon.js';
import { useResource } from '../parts/resource.js';
import { go, href, withQuery } from '../router.js';

export const STATES = [
  'running',
  'queued',
  'waiting',
  'scheduled',
  'retrying',
  'failed',
  'succeeded',
  'cancelled',
  'expired',
] as const;
const TIMES = ['15m', '1h', '24h', '7d'] as const;

/** The conditions of a list of tasks, as its address has them. */
export type Filter = Readonly<Record<string, string>>;

/** What a search text means: an id, conditions such as `queue:mail`, or a name. */
function conditionsOf(text: string): { readonly id?: string; readonly query: Record<string, string> } {
  const query: Record<string, string> = {};
  for (const word of text.trim().split(/\s+/)) {
    const [, key, value] = /^(queue|name|args|state|error|since|header\.[^:]+):(.+)$/.exec(word) ?? [];
    if (key && value) query[key] = value;
    else if (/^[\w-]+\.[\w-]{22}$/.test(word)) return { id: word, query };
    else if (word !== '') query['name'] = word;
  }
  return { query };
}

/** A search field and the conditions that are in force, each as a link that removes it. */
export function TaskSearch({ filter, headers }: { filter: Filter; headers: readonly string[] }): JSX.Element {
  const [text, setText] = useState('');
  const submit = (event: Event) => {
    event.preventDefault();
    const { id, query } = conditionsOf(text);
    setText('');
    go(id === undefined ? withQuery(query) : href(['tasks', id]));
  };
  return (
    <div class="row">
      <form class="find" role="search" onSubmit={submit}>
        <Icon name="search" />
        <input
          data-search
          aria-label="Search tasks"
          list="task-conditions"
          autoComplete="off"
          placeholder="An id, a name, queue:mail, args:ann@example.com …"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <kbd aria-hidden="true">/</kbd>
        <Suggestions text={text} headers={headers} />
      </form>
      <div class="chips">
        {Object.entries(filter)
          .filter(([key]) => key !== 'state')
          .map(([key, value]) => (
            <a
              key={key}
              class="chip"
              href={withQuery({ [key]: undefined })}
              aria-label={`Remove the filter ${key} ${value}`}
            >
              <span>{key}</span>{' '}
              <b>
                <Text>{value}</Text>
              </b>
              <Icon name="close" />
            </a>
          ))}
        <AddFilter filter={filter} />
      </div>
    </div>
  );
}

/** What may come next in a search. The browser offers a suggestion as a whole, so each begins with the words that are there. */
function Suggestions({ text, headers }: { text: string; headers: readonly string[] }): JSX.Element {
  const before = text.slice(0, text.lastIndexOf(' ') + 1);
  const word = text.slice(before.length);
  const queues = overview.value?.queues ?? [];
  const names = [...new Set(queues.flatMap(({ tasks }) => tasks))].toSorted();
  const conditions: readonly string[] = [
    ...names.map((name) => `name:${name}`),
    ...queues.map(({ name }) => `queue:${name}`),
    ...STATES.map((state) => `state:${state}`),
    ...TIMES.map((since) => `since:${since}`),
    ...headers.map((name) => `header.${name}:`),
    'args:',
  ];
  const given = Object.keys(conditionsOf(before).query);
  return (
    <datalist id="task-conditions">
      {conditions
        .filter((condition) => !given.includes(condition.slice(0, condition.indexOf(':'))))
        .map((condition) => (
          <option key={condition} value={before + condition} />
        ))}
      {word.startsWith('er') && <ErrorSuggestions before={before} />}
    </datalist>
  );
}

/** The errors are read only once somebody looks for one. */
function ErrorSuggestions({ before }: { before: string }): JSX.Element {
  const { data } = useResource<Errors>(['errors'], { since: '7d' });
  return (
    <>
      {data?.items.map(({ fingerprint, name, message }) => (
        <option key={fingerprint} value={`${before}error:${fingerprint}`} label={`error: ${name}, ${message}`} />
      ))}
    </>
  );
}

function AddFilter({ filter }: { filter: Filter }): JSX.Element {
  const options = [
    ...(filter['queue']
      ? []
      : (overview.value?.queues ?? []).map(({ name }) => ['queue', name, `queue ${name}`] as const)),
    ...(filter['since'] ? [] : TIMES.map((since) => ['since', since, `enqueued in the last ${since}`] as const)),
    ...(filter['workflow'] ? [] : [['workflow', 'true', 'whole workflows'] as const]),
    ...(filter['state'] === 'running' ? [['runningFor', '10m', 'running for 10 minutes'] as const] : []),
  ];
  return (
    <select
      class="chip add"
      aria-label="Add a filter"
      value=""
      onChange={(event) => {
        const [key, value] = JSON.parse(event.currentTarget.value) as [string, string];
        event.currentTarget.value = '';
        go(withQuery({ [key]: value }));
      }}
    >
      <option value="">+ Filter</option>
      {options.map(([key, value, text]) => (
        <option key={text} value={JSON.stringify([key, value])}>
          {text}
        </option>
      ))}
    </select>
  );
}
