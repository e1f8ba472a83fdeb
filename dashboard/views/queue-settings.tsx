import type { QueueInfo } from '../../lib/admin/queue-overview.js';
import { duration, exact } from '../format.js';
import { ask, perform } from '../parts/acts.js';
import { toast } from '../parts/toasts.js';

/** Asks for the limits of a queue. An empty field goes back to what the code declares. */
export function editQueue({ name, globalConcurrency, rateLimit }: QueueInfo): void {
  const told = globalConcurrency.override ?? rateLimit.override;
  ask({
    title: `Limits of ${name}`,
    text: (
      <p class="soft">
        They hold in all workers together, and workers that start later obey them. An empty field goes back to what the
        code declares. {told?.by && told.at && `Set by ${told.by}, ${exact(Date.parse(told.at))}.`}
      </p>
    ),
    button: 'Set the limits',
    initial: {
      concurrency: String(globalConcurrency.override?.value ?? ''),
      max: String(rateLimit.override?.value.max ?? ''),
      per: rateLimit.override ? duration(rateLimit.override.value.per).replace(' ', '').replace('min', 'm') : '1m',
    },
    fields: (values, set) => (
      <>
        <label class="field">
          <span>Tasks that run at once</span>
          <input
            inputMode="numeric"
            placeholder={globalConcurrency.declared === null ? 'no limit' : String(globalConcurrency.declared)}
            value={values['concurrency'] ?? ''}
            onInput={(event) => set('concurrency', event.currentTarget.value)}
          />
        </label>
        <label class="field">
          <span>Tasks that start</span>
          <input
            inputMode="numeric"
            placeholder={rateLimit.declared === null ? 'no limit' : String(rateLimit.declared.max)}
            value={values['max'] ?? ''}
            onInput={(event) => set('max', event.currentTarget.value)}
          />
        </label>
        <label class="field">
          <span>in each period of</span>
          <input value={values['per'] ?? ''} onInput={(event) => set('per', event.currentTarget.value)} />
        </label>
        <label class="field">
          <span>Why</span>
          <input
            value={values['reason'] ?? ''}
            maxLength={200}
            onInput={(event) => set('reason', event.currentTarget.value)}
          />
        </label>
      </>
    ),
    run: async ({ concurrency = '', max = '', per = '', reason }) => {
      const wanted = concurrency.trim() === '' ? null : Number(concurrency);
      const limit = max.trim() === '' ? null : { max: Number(max), per: per.trim() };
      const before = rateLimit.override?.value ?? null;
      const isNew = wanted !== (globalConcurrency.override?.value ?? null);
      if (isNew && !(await perform('setGlobalConcurrency', { queue: name, value: wanted, reason }, undefined)))
        return false;
      if ((limit || before) && !(await perform('setRateLimit', { queue: name, value: limit, reason }, undefined)))
        return false;
      toast(`The limits of ${name} are set.`, {
        undo: () =>
          void (async () => {
            const old = globalConcurrency.override?.value ?? null;
            if (isNew) await perform('setGlobalConcurrency', { queue: name, value: old }, undefined);
            if (limit || before) await perform('setRateLimit', { queue: name, value: before }, undefined);
            toast(`The limits of ${name} are as before.`);
          })(),
      });
      return true;
    },
  });
}
