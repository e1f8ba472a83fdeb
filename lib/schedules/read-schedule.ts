import type { CallOptions } from '../engine/task.js';
import { isQueueName } from '../engine/task-id.js';
import type { TaskTemplate } from '../tasks/task-template.js';
import { checkScheduleId, checkSettings, type Settings } from './check-settings.js';
import { Schedule } from './schedule.js';
import { fieldsOf, isTime, readRecord, UnreadableRecord } from './stored-record.js';
import type { ScheduleTexts, StoredPause, StoredSchedule } from './stored-schedule.js';
import type { Timetables } from './timetables.js';
import { NEVER, type Timing } from './timetable.js';

/**
 * Reads a stored schedule. Any process may have stored it: one of a later version, one with other time zones, or a
 * person. So it is checked as `upsert()` checks its settings. A schedule that cannot be read is broken: it has no tick,
 * and `broken` gives the reason.
 */
export function readSchedule(id: string, texts: ScheduleTexts, timetables: Timetables): Schedule {
  try {
    const stored = toStoredSchedule(id, readRecord(texts.schedule, `The record of schedule "${id}"`), timetables);
    const schedule = new Schedule(stored, timetables.of(stored), { texts });
    schedule.pause = readPause(id, texts.pause);
    return schedule;
  } catch (error) {
    const broken = { reason: (error as Error).message, isNewer: error instanceof UnreadableRecord && error.isNewer };
    const schedule = new Schedule(salvage(id, fieldsOf(texts.schedule)), NEVER, { texts, broken });
    schedule.pause = readPauseOrNone(id, texts.pause);
    return schedule;
  }
}

/** @throws UnreadableRecord */
function readPause(id: string, text: string | undefined): StoredPause | undefined {
  if (text === undefined) return undefined;
  const what = `The record whether schedule "${id}" is paused`;
  const { paused, at } = readRecord(text, what);
  if (typeof paused === 'boolean' && isTime(at)) return { paused, at };
  throw new UnreadableRecord(`${what} has other fields than paused and at.`);
}

function readPauseOrNone(id: string, text: string | undefined): StoredPause | undefined {
  try {
    return readPause(id, text);
  } catch {
    return undefined;
  }
}

const FIELDS = {
  id: true,
  source: true,
  cron: true,
  every: true,
  timezone: true,
  overlap: true,
  catchUp: true,
  endsAt: true,
  limit: true,
  template: true,
  application: true,
  since: true,
} satisfies Record<keyof StoredSchedule, true>;

const TEMPLATE_FIELDS = {
  name: true,
  queue: true,
  args: true,
  headers: true,
  options: true,
  expires: true,
  unique: true,
} satisfies Record<keyof TaskTemplate, true>;

/** @throws ConfigurationError, UnreadableRecord */
function toStoredSchedule(
  id: string,
  record: Readonly<Record<string, unknown>>,
  timetables: Timetables,
): StoredSchedule {
  const what = `Schedule "${id}"`;
  checkScheduleId(id, 'A schedule');
  checkFields(record, FIELDS, what);
  const { source, since, template, endsAt, cron, every, timezone, overlap, catchUp, limit, application } = record;
  if (record['id'] !== id) throw invalid(what, 'id', record['id']);
  if (source !== 'decorator' && source !== 'runtime') throw invalid(what, 'source', source);
  if (application !== undefined && typeof application !== 'string') throw invalid(what, 'application', application);
  if (!isTime(since)) throw invalid(what, 'since', since);
  if (endsAt !== undefined && !isTime(endsAt)) throw invalid(what, 'endsAt', endsAt);
  const settings = { timezone, overlap, catchUp, limit, endsAt: endsAt === undefined ? undefined : new Date(endsAt) };
  const checked = checkSettings({ cron, every } as Timing, settings as Settings, what, timetables.parse);
  return {
    id,
    source,
    ...checked,
    template: toTemplate(template, what),
    ...(application !== undefined && { application }),
    since,
  };
}

function toTemplate(template: unknown, what: string): TaskTemplate {
  if (!isObject(template)) throw invalid(what, 'template', template);
  checkFields(template, TEMPLATE_FIELDS, `The template of ${what}`);
  for (const [field, isValid] of Object.entries(TEMPLATE_CHECKS)) {
    if (!isValid(template[field])) throw invalid(`The template of ${what}`, field, template[field]);
  }
  return template as unknown as TaskTemplate;
}

const TEMPLATE_CHECKS: Record<keyof TaskTemplate, (value: unknown) => boolean> = {
  name: (name) => typeof name === 'string' && /^[^\s\p{Cc}]{1,200}$/u.test(name),
  queue: (queue) => typeof queue === 'string' && isQueueName(queue),
  args: Array.isArray,
  headers: (headers) => isObject(headers) && Object.values(headers).every((value) => typeof value === 'string'),
  options: (options) =>
    isObject(options) &&
    Object.entries(options).every(
      ([name, value]) => Object.hasOwn(OPTION_CHECKS, name) && OPTION_CHECKS[name as Option](value),
    ),
  expires: (expires) => expires === undefined || isAmount(expires),
  unique: (unique) =>
    unique === undefined ||
    (isObject(unique) &&
      typeof unique['key'] === 'string' &&
      ['pending', 'running', 'retained'].includes(unique['while'] as string)),
};

type Option = keyof TaskTemplate['options'];

const OPTION_CHECKS: Record<Exclude<keyof CallOptions, 'startAt' | 'expiresAt'>, (value: unknown) => boolean> = {
  attempts: (value) => Number.isInteger(value) && (value as number) >= 1,
  backoff: (value) =>
    isObject(value) &&
    (value['type'] === 'fixed' || value['type'] === 'exponential') &&
    isAmount(value['delay']) &&
    isAmount(value['max']) &&
    isAmount(value['jitter']),
  timeout: isAmount,
  priority: (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 9,
  resultTtl: isAmount,
  ignoreResult: (value) => typeof value === 'boolean',
};

/** A field that this version does not know may change the meaning of the others. */
function checkFields(record: object, known: Readonly<Record<string, true>>, what: string): void {
  const unknown = Object.keys(record).filter((field) => !Object.hasOwn(known, field));
  if (unknown.length > 0) throw new UnreadableRecord(`${what} has the unknown field ${unknown.join(', ')}.`);
}

function invalid(what: string, field: string, value: unknown): UnreadableRecord {
  const text = JSON.stringify(value) ?? 'missing';
  return new UnreadableRecord(`${field} of ${what} is ${text.slice(0, 100)}, which is not valid.`);
}

/** What can be shown of a schedule that cannot be read. It never runs. */
function salvage(id: string, fields: Readonly<Record<string, unknown>>): StoredSchedule {
  const { source, cron, every, timezone } = fields;
  const template = isObject(fields['template']) ? fields['template'] : {};
  return {
    id,
    source: source === 'decorator' ? 'decorator' : 'runtime',
    ...(typeof cron === 'string' && { cron }),
    ...(typeof every === 'number' && { every }),
    timezone: typeof timezone === 'string' ? timezone : 'UTC',
    overlap: fields['overlap'] === 'skip' ? 'skip' : 'allow',
    catchUp: fields['catchUp'] === 'none' ? 'none' : 'one',
    template: {
      name: typeof template['name'] === 'string' ? template['name'] : '',
      queue: typeof template['queue'] === 'string' ? template['queue'] : '',
      args: [],
      headers: {},
      options: {},
    },
    since: 0,
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A duration or a share. */
function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
