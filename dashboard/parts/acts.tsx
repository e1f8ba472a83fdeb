import { signal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { act, ApiError } from '../api.js';
import { count } from '../format.js';
import { statuses, watchActs } from '../live.js';
import { href } from '../router.js';
import { settings } from '../settings.js';
import { Icon, type IconName } from './icon.js';
import { Text } from './bits.js';
import { toast } from './toasts.js';

interface Question {
  readonly title: string;
  readonly text: ComponentChildren;
  readonly button: string;
  readonly danger?: boolean;
  /** The reader has to type this number. */
  readonly type?: number | undefined;
  readonly fields?: (
    values: Readonly<Record<string, string>>,
    set: (name: string, value: string) => void,
  ) => ComponentChildren;
  readonly initial?: Readonly<Record<string, string>>;
  readonly run: (values: Readonly<Record<string, string>>) => Promise<unknown>;
}

/** A bulk act that this page has started. */
interface Job {
  readonly id: string;
  readonly text: string;
}

const question = signal<Question | undefined>(undefined);
const jobs = signal<readonly Job[]>([]);
/** Grows with each change, so that views read again. */
export const changes = signal(0);

/** Asks before something that cannot be undone. */
export function ask(one: Question): void {
  question.value = one;
}

/** Changes something, and tells what came of it. @returns false when it was refused */
export async function perform(
  name: string,
  body: object,
  told: string | undefined,
  undo?: readonly [name: string, body: object, told: string],
): Promise<boolean> {
  try {
    const answer = await act(name, body);
    const isBulk = answer.id !== undefined && /All$|^purge$/.test(name);
    if (isBulk) {
      jobs.value = [...jobs.value, { id: answer.id, text: told ?? name }];
      watchActs(jobs.value.map(({ id }) => id));
    } else if (told !== undefined) {
      toast(told, {
        ...(undo && { undo: () => void perform(undo[0], undo[1], undo[2]) }),
        ...(answer.id !== undefined && { link: ['See the task', href(['tasks', answer.id])] as const }),
      });
    }
    changes.value++;
    return true;
  } catch (error) {
    toast(`Not done: ${(error as ApiError).message}`, { isBad: true });
    return false;
  }
}

/** A button for something that changes; left out in read-only mode. */
export function Act({
  icon,
  children,
  onClick,
  class: extra = '',
  label,
  disabled,
}: {
  icon?: IconName;
  children?: ComponentChildren;
  onClick: () => unknown;
  class?: string;
  label?: string;
  disabled?: boolean;
}): JSX.Element | null {
  if (settings.readOnly) return null;
  return (
    <button
      type="button"
      class={extra}
      aria-label={label}
      title={label}
      disabled={disabled}
      onClick={() => void onClick()}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

/** The bulk acts of this page: each is a task of its own, with its progress and a button that stops it. */
export function Jobs(): JSX.Element | null {
  if (jobs.value.length === 0) return null;
  const remove = (id: string) => {
    jobs.value = jobs.value.filter((job) => job.id !== id);
    watchActs(jobs.value.map((job) => job.id));
  };
  return (
    <section class="card" aria-label="Acts on many tasks">
      {jobs.value.map((job) => (
        <JobStrip key={job.id} job={job} onClose={() => remove(job.id)} />
      ))}
    </section>
  );
}

function JobStrip({ job, onClose }: { job: Job; onClose: () => void }): JSX.Element {
  const status = statuses.value.get(job.id);
  const state = status === null ? 'succeeded' : (status?.state ?? 'queued');
  const isOver = ['succeeded', 'failed', 'cancelled', 'expired'].includes(state);
  const done = status?.progress?.current ?? 0;
  useEffect(() => {
    if (isOver) changes.value++;
  }, [isOver]);
  return (
    <div class="job">
      <span class="state" data-state={state}>
        <Icon name={state === 'succeeded' ? 'succeeded' : state} />
        <Text>{job.text}</Text>
      </span>
      {isOver ? <span /> : <progress aria-label={job.text} />}
      <span role="status">
        {isOver
          ? state === 'succeeded'
            ? `Done: ${count(done)} tasks.`
            : `${state}${status?.error ? `: ${status.error.message}` : ''}`
          : state === 'queued'
            ? 'waits for a worker'
            : `${count(done)} so far`}
      </span>
      <span class="row">
        <a class="button tiny" href={href(['tasks', job.id])}>
          Details
        </a>
        {isOver ? (
          <button type="button" class="tiny square" aria-label="Close" onClick={onClose}>
            <Icon name="close" />
          </button>
        ) : (
          <button type="button" class="tiny" onClick={() => void perform('cancel', { id: job.id }, 'The act stops.')}>
            Stop
          </button>
        )}
      </span>
    </div>
  );
}

export function Dialog(): JSX.Element | null {
  const asked = question.value;
  return asked ? <DialogOf key={asked.title} asked={asked} /> : null;
}

function DialogOf({ asked }: { asked: Question }): JSX.Element {
  const element = useRef<HTMLDialogElement>(null);
  const [values, setValues] = useState<Readonly<Record<string, string>>>(asked.initial ?? {});
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState('');
  const close = () => (question.value = undefined);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    element.current?.showModal();
    return () => before?.focus();
  }, []);
  const mayGo = asked.type === undefined || values['typed'] === String(asked.type);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!mayGo || busy) return;
    setBusy(true);
    setError('');
    try {
      if ((await asked.run(values)) === false) setBusy(false);
      else close();
    } catch (failure) {
      setError((failure as Error).message);
      setBusy(false);
    }
  };
  const set = (name: string, value: string) => setValues((before) => ({ ...before, [name]: value }));
  return (
    <dialog ref={element} class="modal" aria-labelledby="asked" onClose={close}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        <h2 id="asked">{asked.title}</h2>
        <div>{asked.text}</div>
        {asked.fields?.(values, set)}
        {asked.type !== undefined && (
          <label class="stack">
            <span>
              Type <strong>{asked.type}</strong> to go on
            </span>
            <input
              inputMode="numeric"
              value={values['typed'] ?? ''}
              onInput={(event) => set('typed', event.currentTarget.value)}
            />
          </label>
        )}
        {error && (
          <p class="bad" role="alert">
            {error}
          </p>
        )}
        <p class="row">
          <button type="button" onClick={close}>
            Not now
          </button>
          <button type="submit" class={asked.danger ? 'danger main' : 'main'} disabled={!mayGo || busy}>
            {asked.button}
          </button>
        </p>
      </form>
    </dialog>
  );
}
