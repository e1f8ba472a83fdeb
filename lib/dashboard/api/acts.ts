import type { ActOptions } from '../../admin/act-options.js';
import type { AdminActs } from '../../admin/admin-acts.js';
import type { TaskAdmin } from '../../admin/task-admin.js';
import type { TaskFilter } from '../../admin/task-filter.js';
import type { Duration } from '../../duration.js';
import type { Json } from '../../engine/json.js';
import { ConfigurationError, InvalidArgumentsError, ScheduleNotFoundError } from '../../errors.js';
import type { CallToEnqueue, Operator } from '../../operator/operations.js';
import type { CallChange } from '../../producers/call-change.js';
import type { TaskStatus } from '../../results/task-status.js';
import type { ScheduleSettings } from '../../schedules/schedule-options.js';
import type { TaskSchedules } from '../../schedules/task-schedules.js';
import type { Reads } from './reads.js';
import type { ActAnswer } from './api-types.js';
import type { Query } from './query.js';

/** The body of a request. Every value is checked where it is used. */
export type ActBody = Readonly<Record<string, unknown>>;

export interface ActsDeps {
  readonly admin: TaskAdmin;
  readonly schedules: TaskSchedules;
  readonly acts: AdminActs;
  readonly operator: Pick<Operator, 'enqueue'>;
  readonly reads: Pick<Reads, 'row' | 'filter'>;
}

type Act = (body: ActBody, options: ActOptions) => Promise<ActAnswer>;

/** Everything that the page changes. Each act goes through `TaskAdmin` or `AdminActs`, so methods with `@OnAdmin()` get it. */
export class Acts {
  private readonly all: Readonly<Record<string, Act>>;

  constructor(private readonly deps: ActsDeps) {
    const { admin, schedules } = deps;
    const one = (act: (id: string, options: ActOptions) => Promise<TaskStatus>): Act => {
      return async (body, options) => ({ status: deps.reads.row(await act(text(body, 'id'), options)) });
    };
    const done = (act: (body: ActBody, options: ActOptions) => Promise<unknown>): Act => {
      return async (body, options) => {
        await act(body, options);
        return {};
      };
    };
    const many = (act: 'retryAll' | 'cancelAll' | 'forgetAll'): Act => {
      return async (body, options) => {
        const rate = body['rate'] === undefined ? {} : { rate: body['rate'] as number };
        return { id: (await admin[act](this.filter(body), { ...options, ...rate })).id };
      };
    };
    this.all = {
      enqueue: (body, options) => this.enqueue(callOf(body), options),
      retry: one((id, options) => admin.retry(id, options)),
      cancel: one((id, options) => admin.cancel(id, options)),
      promote: one((id, options) => admin.promote(id, options)),
      update: async (body, options) => {
        const change = object(body, 'change') as CallChange;
        return { status: deps.reads.row(await admin.update(text(body, 'id'), change, options)) };
      },
      forget: async (body, options) => ({ removed: await admin.forget(text(body, 'id'), options) }),
      retryAll: many('retryAll'),
      cancelAll: many('cancelAll'),
      forgetAll: many('forgetAll'),
      purge: async (body, options) => ({ id: (await admin.purge(text(body, 'queue'), options)).id }),
      pause: done((body, options) => admin.pause(text(body, 'queue'), options)),
      resume: done((body, options) => admin.resume(text(body, 'queue'), options)),
      setGlobalConcurrency: done((body, options) =>
        admin.setGlobalConcurrency(text(body, 'queue'), body['value'] as number | null, options),
      ),
      setRateLimit: done((body, options) =>
        admin.setRateLimit(text(body, 'queue'), body['value'] as { max: number; per: Duration } | null, options),
      ),
      shutdown: done((body, options) => {
        const grace = body['grace'] === undefined ? {} : { grace: body['grace'] as Duration };
        return admin.shutdown(text(body, 'worker'), { ...options, ...grace });
      }),
      pauseSchedule: this.onSchedule('pauseSchedule', async (id) => void (await schedules.pause(id))),
      resumeSchedule: this.onSchedule('resumeSchedule', async (id) => void (await schedules.resume(id))),
      removeSchedule: this.onSchedule('removeSchedule', async (id) => {
        if (!(await schedules.remove(id))) throw new ScheduleNotFoundError(id);
      }),
      runSchedule: this.onSchedule('runSchedule', async (id) => (await schedules.runNow(id)).id),
      saveSchedule: this.onSchedule('saveSchedule', async (id, body) => {
        const settings = object(body, 'settings') as unknown as ScheduleSettings & { task: string };
        const { endsAt, ...others } = settings as unknown as Record<string, unknown>;
        const end = typeof endsAt === 'string' ? { endsAt: new Date(endsAt) } : {};
        await schedules.upsert(id, { ...others, ...end } as unknown as typeof settings);
      }),
    };
  }

  has(act: string): boolean {
    return Object.hasOwn(this.all, act);
  }

  /** @throws InvalidArgumentsError when a value is wrong or missing, and what the act throws */
  async perform(act: string, body: ActBody, by: string): Promise<ActAnswer> {
    const reason = body['reason'];
    const options = { by, ...(typeof reason === 'string' && { reason }) };
    return (this.all[act] as Act)(body, options);
  }

  /** Stores a call as the command line does: in the queue for which live workers declare the task, unless another one is given. */
  private async enqueue(call: CallToEnqueue, options: ActOptions): Promise<ActAnswer> {
    const { acts, operator } = this.deps;
    const { queue } = call.options;
    const subject = { act: 'enqueue', ...(queue !== undefined && { queue }), value: call };
    const { id, deduplicated } = await acts.perform(subject, options, () => operator.enqueue(call));
    return { id, deduplicated };
  }

  private onSchedule(act: string, run: (id: string, body: ActBody) => Promise<string | void>): Act {
    return async (body, options) => {
      const schedule = text(body, 'schedule');
      const settings = body['settings'] === undefined ? {} : { value: body['settings'] };
      const id = await this.deps.acts.perform({ act, schedule, ...settings }, options, () => run(schedule, body));
      return id === undefined ? {} : { id };
    };
  }

  /** The filter of a body: that of an address, as parameters. */
  private filter(body: ActBody): TaskFilter {
    const query = object(body, 'filter');
    if (Object.values(query).some((value) => typeof value !== 'string'))
      throw new InvalidArgumentsError(
        'filter has a value that is no text. Give the parameters of the address of a list.',
      );
    return this.deps.reads.filter(query as Query);
  }
}

/** @throws InvalidArgumentsError; the values of options are checked where calls are stored */
function callOf(body: ActBody): CallToEnqueue {
  const { args = [], delay, queue, priority } = body;
  if (!Array.isArray(args))
    throw new InvalidArgumentsError(`args is ${JSON.stringify(args)}. Give a list, with one value for each argument.`);
  const given = Object.entries({ delay, queue, priority }).filter(([, value]) => value !== undefined);
  return {
    name: text(body, 'name'),
    args: args as Json[],
    options: Object.fromEntries(given) as CallToEnqueue['options'],
  };
}

function text(body: ActBody, name: string): string {
  const value = body[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new InvalidArgumentsError(`${name} is ${JSON.stringify(value) ?? 'missing'}. Give a text.`);
}

function object(body: ActBody, name: string): Record<string, unknown> {
  const value = body[name];
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new InvalidArgumentsError(`${name} is ${JSON.stringify(value) ?? 'missing'}. Give an object.`);
}

/** Errors about settings that a user gave, which are no fault of the application. */
export function isWrongSetting(error: unknown): error is ConfigurationError {
  return error instanceof ConfigurationError;
}
