import type { TestEngine } from './engines.js';
import type { Fields, StoredJobs } from './stored-jobs.js';

/** What another program did to a stored task, and the part of the error that names it. */
export interface Damage {
  readonly what: string;
  readonly redis?: Fields;
  readonly postgres?: Fields;
  /** Redis: commands instead of fields; `KEY` is the key of the job. */
  readonly commands?: readonly (readonly string[])[];
  readonly says: RegExp;
  readonly code?: string;
  /** Only a worker finds out. Before, the task looks like any other. */
  readonly isFoundByWorker?: true;
}

const json = (value: unknown) => JSON.stringify(value);
/** The same fields under the names of both engines. */
export const both = (field: string, value: unknown): Pick<Damage, 'redis' | 'postgres'> => ({
  redis: { [field]: json(value) },
  postgres: { [field]: json(value) },
});
const data = (extra: object) => both('data', { args: ['damaged'], ...extra });
const NO_TASK = { says: /not enqueued as a task/, code: 'INVALID_ARGUMENTS', isFoundByWorker: true } as const;

const DAMAGES: readonly Damage[] = [
  { what: 'options that are not JSON', redis: { opts: '{{{{' }, says: /opts is not JSON/ },
  { what: 'options that are null', ...both('opts', null), says: /opts is not an object/ },
  { what: 'options that are a list', ...both('opts', [1]), says: /opts is not an object/ },
  { what: 'options that are a text', ...both('opts', 'x'), says: /opts is not an object/ },
  { what: 'attempts that are a text', ...both('opts', { attempts: 'x' }), says: /opts.attempts/ },
  { what: 'attempts without a bound', ...both('opts', { attempts: 1e308 }), says: /opts.attempts/ },
  { what: 'a negative timeout', ...both('opts', { task: { timeout: -1 } }), says: /opts.task.timeout/ },
  { what: 'task options that are a text', ...both('opts', { task: 'x' }), says: /opts.task/ },
  {
    what: 'a backoff of no type',
    ...both('opts', { task: { backoff: { type: 'x' } } }),
    says: /opts.task.backoff.type/,
  },
  { what: 'a backoff that is a number', ...both('opts', { task: { backoff: 5 } }), says: /opts.task.backoff/ },
  { what: 'a rule for its parent that is a text', ...both('opts', { continueParentOnFailure: 'x' }), says: /opts\./ },
  { what: 'no name', redis: { name: '' }, postgres: { name: '' }, says: /name is missing/ },
  { what: 'data that is not JSON', redis: { data: '{{{{' }, says: /data is not JSON/ },
  { what: 'data that is null', ...both('data', null), ...NO_TASK },
  { what: 'data that is a list', ...both('data', [1]), ...NO_TASK },
  { what: 'data that is a text', ...both('data', 'x'), ...NO_TASK },
  { what: 'arguments that are an object', ...both('data', { args: { length: 1e9 } }), ...NO_TASK },
  { what: 'headers that are a text', ...data({ headers: 'abc' }), ...NO_TASK },
  { what: 'headers that are a list', ...data({ headers: [1] }), ...NO_TASK },
  { what: 'progress that is not JSON', redis: { progress: '{{{' }, says: /progress is not JSON/ },
  { what: 'a parent that is not JSON', redis: { parent: '{{{' }, says: /parent is not JSON/ },
  { what: 'a time that is no number', redis: { timestamp: 'abc' }, says: /timestamp/ },
  { what: 'a negative time', redis: { timestamp: '-5' }, postgres: { added_at_ms: '-5' }, says: /timestamp/ },
  {
    what: 'a time after the end of time',
    redis: { timestamp: '9007199254740991' },
    postgres: { added_at_ms: '9007199254740991' },
    says: /timestamp/,
  },
  { what: 'attempts made that are no number', redis: { atm: 'abc' }, says: /attemptsMade/ },
  {
    what: 'more attempts made than there can be',
    redis: { atm: '9223372036854775806' },
    postgres: { attempts_made: '2147483647' },
    says: /attemptsMade/,
  },
  { what: 'starts that are no number', redis: { ats: 'abc' }, says: /attemptsStarted/ },
  {
    what: 'more starts than there can be',
    redis: { ats: '9223372036854775807' },
    postgres: { attempts_started: '2147483647' },
    says: /attemptsStarted/,
  },
  { what: 'negative starts', redis: { ats: '-5' }, postgres: { attempts_started: '-5' }, says: /attemptsStarted/ },
  {
    what: 'more lost workers than there can be',
    redis: { stc: 'x' },
    postgres: { stalled_count: '2147483647' },
    says: /stalledCounter/,
  },
  { what: 'a mark of a cancel that is a number', ...data({ cancelled: 5 }), says: /data.cancelled/ },
  { what: 'a mark of a cancel without a time', ...data({ cancelled: {} }), says: /data.cancelled.at/ },
  { what: 'a root that is an object', ...data({ root: {} }), says: /data.root/ },
  {
    what: 'a thousand million members',
    ...data({ members: [{ queue: 'default', count: 1e9 }] }),
    says: /data.members/,
  },
  { what: 'members that are a number', ...data({ members: 5 }), says: /data.members/ },
  { what: 'members of no queue', ...data({ members: [{ queue: '../x', count: 1 }] }), says: /data.members/ },
  { what: 'a note that is a text', ...data({ note: 'x' }), says: /data.note/ },
  { what: 'a note that is null', ...data({ note: null }), says: /data.note/ },
  { what: 'a note about a step before that is missing', ...data({ note: { after: true } }), says: /data.members/ },
  { what: 'a note about a replacement that is missing', ...data({ note: { replaced: true } }), says: /data.members/ },
  { what: 'a note about lists of arguments that are none', ...data({ note: { each: true } }), says: /data.args/ },
  {
    what: 'followers that are no plans',
    ...data({ note: { onSuccess: [5, null] } }),
    says: /data.note.onSuccess/,
    isFoundByWorker: true,
  },
  {
    what: 'a follower in no queue',
    ...data({ note: { onSuccess: [{ task: 'Work.secret', queue: '../x y', args: [] }] } }),
    says: /data.note.onSuccess/,
    isFoundByWorker: true,
  },
  {
    what: 'the name of a group without its note',
    redis: { name: '$group' },
    postgres: { name: '$group' },
    says: /group/,
  },
  {
    what: 'a list for its hash',
    commands: [
      ['DEL', 'KEY'],
      ['LPUSH', 'KEY', 'x'],
    ],
    says: /not a hash|name is missing/,
  },
  { what: 'a text for its hash', commands: [['SET', 'KEY', 'x']], says: /not a hash|name is missing/ },
  { what: 'nothing but its id', commands: [['DEL', 'KEY']], says: /name is missing/ },
];

/** The damages that a job of this engine can have. */
export function damagesOf(engine: TestEngine): Damage[] {
  return DAMAGES.filter(({ redis, postgres, commands }) => (engine.name === 'redis' ? (redis ?? commands) : postgres));
}

/** Damages a stored job. */
export async function damage(
  engine: TestEngine,
  stored: StoredJobs,
  { redis, postgres, commands = [] }: Damage,
  id: string,
): Promise<void> {
  if (engine.name !== 'redis') return stored.change(id, postgres as Fields);
  if (redis) await stored.change(id, redis);
  for (const command of commands) await stored.command(id, ...command);
}
