import { ask, perform } from '../parts/acts.js';

export function pause(queue: string): void {
  ask({
    title: `Pause ${queue}?`,
    text: 'Workers start none of its tasks until it is resumed. Running tasks go on, new ones wait.',
    button: 'Pause',
    fields: (values, set) => (
      <label class="stack">
        <span>Why, for your colleagues</span>
        <input
          value={values['reason'] ?? ''}
          maxLength={200}
          onInput={(event) => set('reason', event.currentTarget.value)}
        />
      </label>
    ),
    run: ({ reason }) =>
      perform('pause', { queue, reason }, `${queue} is paused.`, {
        undo: ['resume', { queue }, `${queue} goes on.`],
      }),
  });
}

export function resume(queue: string): void {
  void perform('resume', { queue }, `${queue} goes on.`, { undo: ['pause', { queue }, `${queue} is paused.`] });
}
