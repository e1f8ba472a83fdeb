import type { ComponentChildren, JSX } from 'preact';
import type { TaskRow } from '../../lib/dashboard/api/api-types.js';
import { ago, count, duration, exact, shortId } from '../format.js';
import { now } from '../live.js';
import { href } from '../router.js';
import { Icon, type IconName } from './icon.js';
import { toast } from './toasts.js';

/** Text out of a task: in a `bdi`, so that its direction does not change what is around it. */
export function Text({ children }: { children: ComponentChildren }): JSX.Element {
  return <bdi>{children}</bdi>;
}

const STATE_ICONS: readonly string[] = [
  ...[
    'scheduled',
    'queued',
    'waiting',
    'running',
    'retrying',
    'succeeded',
    'failed',
    'cancelled',
    'expired',
    'lost',
    'paused',
  ],
];

export function stateIcon(state: string | null | undefined): IconName {
  return (state && STATE_ICONS.includes(state) ? state : 'waiting') as IconName;
}

/** A state: a colour, a shape and a word. */
export function State({
  state,
  pill = false,
  children,
}: {
  state: string;
  pill?: boolean;
  children?: ComponentChildren;
}): JSX.Element {
  return (
    <span class={`state ${pill ? 'pill' : ''}`} data-state={state}>
      <Icon name={stateIcon(state)} />
      {children ?? capital(state)}
    </span>
  );
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** How long ago, with the exact time on hover and for screen readers. */
export function Ago({ time, bare = false }: { time: string; bare?: boolean }): JSX.Element {
  const at = Date.parse(time);
  const text = ago(at, now.value);
  return (
    <time dateTime={time} title={exact(at)}>
      {bare ? text.replace(/ ago$/, '') : text}
    </time>
  );
}

/** A duration that goes on until an end is known. */
export function Since({ from, to }: { from: string; to?: string | null }): JSX.Element {
  const end = to ? Date.parse(to) : now.value;
  return <span title={exact(Date.parse(from))}>{duration(Math.max(end - Date.parse(from), 0))}</span>;
}

export function Id({ id }: { id: string }): JSX.Element {
  return (
    <span class="mono soft nowrap" title={id}>
      {shortId(id)}
    </span>
  );
}

export function Copy({ text, label }: { text: string | (() => string); label: string }): JSX.Element {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(typeof text === 'string' ? text : text());
      toast('Copied.');
    } catch {
      // Without HTTPS a browser has no clipboard.
      toast('The browser did not allow it. Copy the text by hand.', { isBad: true });
    }
  };
  return (
    <button type="button" class="bare tiny square" aria-label={label} title={label} onClick={() => void copy()}>
      <Icon name="copy" />
    </button>
  );
}

export function TaskLink({ id, name }: { id: string; name: string }): JSX.Element {
  return (
    <a href={href(['tasks', id])}>
      <Text>{name}</Text>
    </a>
  );
}

export function QueueLink({ name }: { name: string }): JSX.Element {
  return (
    <a href={href(['tasks'], { queue: name })}>
      <Text>{name}</Text>
    </a>
  );
}

export function Progress({ of }: { of: TaskRow['progress'] }): JSX.Element {
  if (!of) return <span class="soft">reports none</span>;
  const { current, total, message } = of;
  if (total === null || total <= 0) return <span>{message ?? count(current)}</span>;
  const text = `${count(current)} of ${count(total)}`;
  return <progress value={Math.min(current, total)} max={total} aria-label={text} title={message ?? text} />;
}

export function Card({
  title,
  sub,
  aside,
  children,
  class: extra = '',
  id,
}: {
  title?: ComponentChildren;
  sub?: ComponentChildren;
  aside?: ComponentChildren;
  children: ComponentChildren;
  class?: string;
  id?: string;
}): JSX.Element {
  const heading = id ?? (typeof title === 'string' ? title.replaceAll(/\W+/g, '-').toLowerCase() : undefined);
  return (
    <section class={`card ${extra}`} {...(heading && { 'aria-labelledby': heading })}>
      {title !== undefined && (
        <header>
          <h2 id={heading}>{title}</h2>
          {sub !== undefined && <p>{sub}</p>}
          {aside !== undefined && <span class="aside">{aside}</span>}
        </header>
      )}
      {children}
    </section>
  );
}

export function Head({
  title,
  crumbs,
  children,
  acts,
}: {
  title: ComponentChildren;
  crumbs?: readonly (readonly [text: string, address: string])[];
  children?: ComponentChildren;
  acts?: ComponentChildren;
}): JSX.Element {
  return (
    <header class="head">
      <div>
        {crumbs && (
          <ol class="crumbs" aria-label="Where you are">
            {crumbs.map(([text, address]) => (
              <li key={address}>
                <a href={address}>
                  <Text>{text}</Text>
                </a>
              </li>
            ))}
          </ol>
        )}
        <h1 class="row">{title}</h1>
        {children !== undefined && <p>{children}</p>}
      </div>
      {acts}
    </header>
  );
}

export function Tabs({
  label,
  items,
}: {
  label: string;
  items: readonly {
    readonly text: ComponentChildren;
    readonly href: string;
    readonly on: boolean;
    readonly key: string;
  }[];
}): JSX.Element {
  return (
    <nav class="tabs" aria-label={label}>
      {items.map((item) => (
        <a key={item.key} href={item.href} {...(item.on && { 'aria-current': 'true' as const })}>
          {item.text}
        </a>
      ))}
    </nav>
  );
}

export function Empty({
  icon,
  title,
  children,
  acts,
}: {
  icon: IconName;
  title: string;
  children: ComponentChildren;
  acts?: ComponentChildren;
}): JSX.Element {
  return (
    <div class="empty">
      <Icon name={icon} />
      <h2>{title}</h2>
      <p>{children}</p>
      {acts && <div class="row">{acts}</div>}
    </div>
  );
}

/** Bars in the shape of what comes; they appear only after 300 ms. */
export function Bones({ rows = 6 }: { rows?: number }): JSX.Element {
  return (
    <div class="bones" role="status">
      <span class="quiet">Loading</span>
      {Array.from({ length: rows }, (_, row) => (
        <span key={row} class={`bone w${row % 3}`} />
      ))}
    </div>
  );
}

/** A table that turns into a list on narrow screens, and stays a table for screen readers. */
export function Table({
  label,
  columns,
  children,
}: {
  label: string;
  columns: readonly { readonly text: ComponentChildren; readonly class?: string; readonly key: string }[];
  children: ComponentChildren;
}): JSX.Element {
  return (
    <table class="cards" role="table">
      <caption class="quiet">{label}</caption>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map((column) => (
            <th key={column.key} role="columnheader" scope="col" class={column.class}>
              {column.text}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">{children}</tbody>
    </table>
  );
}

export function Row({
  children,
  class: extra,
}: {
  children: ComponentChildren;
  class?: string | undefined;
}): JSX.Element {
  return (
    <tr role="row" class={extra}>
      {children}
    </tr>
  );
}

export function Title({ children, class: extra }: { children: ComponentChildren; class?: string }): JSX.Element {
  return (
    <th role="rowheader" scope="row" class={extra}>
      {children}
    </th>
  );
}

export function Cell({
  label,
  children,
  class: extra,
}: {
  label: string;
  children?: ComponentChildren;
  class?: string;
}): JSX.Element {
  return (
    <td role="cell" data-label={label} class={extra}>
      {children}
    </td>
  );
}
