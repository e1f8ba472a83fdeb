import { overview } from '../live.js';
import { ask, perform } from '../parts/acts.js';
import { parseArguments } from '../parts/arguments.js';

/** What the form starts with. */
export interface CallDraft {
  readonly name?: string | undefined;
  readonly args?: unknown;
  readonly queue?: string;
}

/** Asks for a call of a task that live workers declare, and stores it. */
export function enqueueTask({ name = '', args = [], queue = '' }: CallDraft = {}): void {
  const queues = overview.peek()?.queues ?? [];
  const tasks = [...new Set(queues.flatMap((one) => one.tasks))].toSorted();
  ask({
    title: queue === '' ? 'Enqueue a task' : `Enqueue ${name} again`,
    text:
      tasks.length === 0
        ? 'No worker runs. With the name of its queue the call is stored, and waits for one.'
        : 'The call is stored as if the code of the application had enqueued it.',
    button: 'Enqueue the task',
    initial: { name, queue, args: JSON.stringify(args, null, 2) },
    fields: (values, set) => {
      const field = (key: string, text: string, more: object) => (
        <label class="field">
          <span>{text}</span>
          <input value={values[key] ?? ''} onInput={(event) => set(key, event.currentTarget.value)} {...more} />
        </label>
      );
      return (
        <>
          {field('name', 'Task', { required: true, list: 'enqueue-tasks', autoComplete: 'off' })}
          <datalist id="enqueue-tasks">
            {tasks.map((task) => (
              <option key={task} value={task} />
            ))}
          </datalist>
          <label class="stack">
            <span>Arguments, a list in JSON</span>
            <textarea
              class="mono"
              rows={6}
              spellcheck={false}
              value={values['args'] ?? ''}
              onInput={(event) => set('args', event.currentTarget.value)}
            />
          </label>
          {field('queue', 'Queue', { list: 'enqueue-queues', placeholder: 'that of the task', autoComplete: 'off' })}
          <datalist id="enqueue-queues">
            {queues.map((one) => (
              <option key={one.name} value={one.name} />
            ))}
          </datalist>
          {field('delay', 'Starts in', { placeholder: 'at once; 10m, 2h' })}
          {field('priority', 'Priority, 0 to 9', {
            inputMode: 'numeric',
            pattern: '[0-9]',
            title: 'A number from 0 to 9',
            placeholder: 'as declared',
          })}
        </>
      );
    },
    run: async ({ name: task = '', args: text = '', queue: where = '', delay = '', priority = '' }) =>
      perform(
        'enqueue',
        {
          name: task.trim(),
          args: parseArguments(text),
          ...(where.trim() !== '' && { queue: where.trim() }),
          ...(delay.trim() !== '' && { delay: delay.trim() }),
          ...(priority !== '' && { priority: Number(priority) }),
        },
        ({ deduplicated }) =>
          deduplicated
            ? 'An equal task is stored, and has not ended: nothing was added.'
            : `${task.trim()} is enqueued.`,
      ),
  });
}
