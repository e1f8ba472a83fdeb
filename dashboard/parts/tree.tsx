import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { ShownValue } from '../../lib/dashboard/api/shown-value.js';
import { read } from '../api.js';
import { bytes, count } from '../format.js';
import { Text } from './bits.js';
import { Icon } from './icon.js';

type Value = ShownValue['value'];

export interface TreeProps {
  readonly of: ShownValue;
  /** Where the page gets values that were cut off. */
  readonly task: string;
  readonly part: 'args' | 'result' | 'headers' | 'progress';
}

/** A value of a task: open to two levels, masked values with a lock, large ones by their size. Everything is text. */
export function Tree(props: TreeProps): JSX.Element {
  return (
    <div class="tree" tabIndex={0} role="region" aria-label={props.part}>
      <Node {...props} value={props.of.value} at="" depth={0} />
    </div>
  );
}

type NodeProps = TreeProps & {
  readonly value: Value;
  readonly at: string;
  readonly depth: number;
  readonly name?: string;
};

function Node(props: NodeProps): JSX.Element {
  const { value, at, depth, name, of } = props;
  const key =
    name === undefined ? null : (
      <>
        <span class="k">
          <Text>{name}</Text>
        </span>{' '}
      </>
    );
  if (of.masked.includes(at)) {
    return (
      <span>
        {key}
        <Icon name="lock" /> <span class="m">masked</span>
      </span>
    );
  }
  if (typeof value === 'string')
    return (
      <span>
        {key}
        <TextNode {...props} value={value} />
      </span>
    );
  if (typeof value !== 'object' || value === null)
    return (
      <span>
        {key}
        <span class="n">{String(value)}</span>
      </span>
    );
  const entries = Object.entries(value as Record<string, Value>);
  const isList = Array.isArray(value);
  const size = of.cut[at] ?? entries.length;
  const label = isList
    ? `${count(size)} ${size === 1 ? 'value' : 'values'}`
    : `${count(size)} ${size === 1 ? 'key' : 'keys'}`;
  if (size === 0)
    return (
      <span>
        {key}
        <span class="m">{isList ? '[ ]' : '{ }'}</span>
      </span>
    );
  return (
    <details open={depth < 2}>
      <summary>
        {key}
        {isList ? '[' : '{'} <span class="soft">{label}</span>
      </summary>
      <ul>
        {entries.map(([inner, child]) => (
          <li key={inner}>
            <Node
              {...props}
              value={child}
              at={`${at}/${inner.replaceAll('~', '~0').replaceAll('/', '~1')}`}
              depth={depth + 1}
              name={inner}
            />
          </li>
        ))}
        {of.cut[at] !== undefined && <li class="m">and {count(size - entries.length)} more</li>}
      </ul>
    </details>
  );
}

function TextNode({ value, at, of, task, part }: NodeProps & { value: string }): JSX.Element {
  const [whole, setWhole] = useState<string | undefined>(undefined);
  const [error, setError] = useState('');
  const length = of.cut[at];
  const shown = whole ?? value;
  const isLong = length !== undefined && whole === undefined;
  const load = async () => {
    try {
      const answer = await read<{ value: unknown }>(['value', task], { in: part, at });
      setWhole(String(answer.value));
    } catch (failure) {
      setError((failure as Error).message);
    }
  };
  return (
    // Breaking a text of a megabyte into lines would stop the page for seconds.
    <span class={whole === undefined ? 's' : 's whole'}>
      {'"'}
      <Text>{isLong ? shown.slice(0, 200) : shown}</Text>
      {isLong ? '…' : '"'}
      {isLong && (
        <>
          {' '}
          <button type="button" class="link" onClick={() => void load()}>
            text of {bytes(length)}, show all
          </button>
        </>
      )}
      {error && <span class="bad"> {error}</span>}
    </span>
  );
}
