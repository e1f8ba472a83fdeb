import { signal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ActAnswer } from '../../lib/dashboard/api/api-types.js';
import { act, ApiError } from '../api.js';
import { count, plural } from '../format.js';
import { href } from '../router.js';
import { settings } from '../settings.js';
import { Icon, type IconName } from './icon.js';
import { changes } from './changes.js';
import { addJob } from './jobs.js';
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

const question = signal<Question | undefined>(undefined);

/** Asks before something that cannot be undone. */
export function ask(one: Question): void {
  question.value = one;
}

/** What takes a change back: an act, and what is told of it. */
export type Undo = readonly [name: string, body: object, told: string];

/**
 * Changes something, and tells what came of it.
 *
 * @param told what the reader is told; it may depend on the answer
 * @param more.total how many tasks an act on many is about
 * @returns false when it was refused
 * @throws ApiError when it was refused and a question is open, which then tells why
 */
export async function perform(
  name: string,
  body: object,
  told: string | ((answer: ActAnswer) => string) | undefined,
  { undo, total }: { readonly undo?: Undo | undefined; readonly total?: number } = {},
): Promise<boolean> {
  try {
    const answer = await act(name, body);
    const isBulk = answer.id !== undefined && /All$|^purge$/.test(name);
    const text = typeof told === 'function' ? told(answer) : told;
    if (isBulk) {
      addJob({ id: answer.id, text: text ?? name, total });
    } else if (text !== undefined) {
      toast(text, {
        ...(undo && { undo: () => void perform(...undo) }),
        ...(answer.id !== undefined && { link: ['See the task', href(['tasks', answer.id])] as const }),
      });
    }
    changes.value++;
    return true;
  } catch (error) {
    // What stands behind an open question cannot be read.
    if (question.peek()) throw error;
    toast(`Not done: ${(error as ApiError).message}`, { isBad: true });
    return false;
  }
}

/** Requests of {@link performEach} at the same time. */
const AT_ONCE = 4;

/**
 * Changes several tasks one by one, and tells once how many were changed and why others were refused.
 *
 * @param more.onStep is called with the number of tasks that were tried
 * @param more.leftOut what is told of chosen tasks that the act does not concern
 */
export async function performEach(
  name: string,
  ids: readonly string[],
  told: string,
  { onStep, leftOut = '' }: { readonly onStep: (tried: number) => void; readonly leftOut?: string },
): Promise<void> {
  const refused: string[] = [];
  const waiting = [...ids];
  let tried = 0;
  const run = async () => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      await act(name, { id }).catch((error: unknown) => refused.push((error as ApiError).message));
      onStep(++tried);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, run));
  changes.value++;
  const done = ids.length - refused.length;
  const of = refused.length === 0 ? plural(done, 'task') : `${count(done)} of ${plural(ids.length, 'task')}`;
  const why = refused[0] === undefined ? '' : `${count(refused.length)} refused: ${refused[0]}`;
  toast([`${of} ${told}.`, why, leftOut].filter(Boolean).join(' '), {
    isBad: refused.length > 0,
  });
}

/** A button for something that changes; left out in read-only mode. */
export function Act({
  icon,
  children,
  onClick,
  class: extra = '',
  label,
  disabled,
  press,
}: {
  icon?: IconName;
  children?: ComponentChildren;
  onClick: () => unknown;
  class?: string;
  label?: string;
  disabled?: boolean;
  /** The key that presses it. */
  press?: string;
}): JSX.Element | null {
  if (settings.readOnly) return null;
  return (
    <button
      type="button"
      class={extra}
      aria-label={label}
      title={label}
      disabled={disabled}
      data-key={press}
      onClick={() => void onClick()}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
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
