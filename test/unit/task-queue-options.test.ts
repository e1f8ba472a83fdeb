import { describe, expect, it } from '@jest/globals';
import { ConfigurationError } from '../../lib/errors.js';
import { resolveOptions } from '../../lib/task-queue-options.js';

describe('resolveOptions without options', () => {
  it('chooses the embedded engine, in a folder or under NODE_ENV=test in memory, and memory: under a test runner', () => {
    expect(resolveOptions({}, {})).toMatchObject({
      connection: { kind: 'embedded', folder: '.task-queue' },
      prefix: 'tasks',
      role: 'both',
      consume: '*',
      maxPayload: 1_048_576,
      enqueueTimeout: 5_000,
      grace: 30_000,
      retention: { ttl: 86_400_000, failedTtl: 604_800_000 },
    });
    expect(resolveOptions({}, { NODE_ENV: 'test' })).toMatchObject({ connection: { kind: 'embedded' }, grace: 1_000 });
    for (const runner of ['JEST_WORKER_ID', 'VITEST', 'NODE_TEST_CONTEXT']) {
      const env = { NODE_ENV: 'test', [runner]: '1' };
      expect(resolveOptions({}, env).connection).toEqual({ kind: 'memory' });
      expect(resolveOptions({}, { ...env, TASK_QUEUE_URL: 'redis://h' }).connection.kind).toBe('redis');
    }
    expect(resolveOptions({}, {}).queues.get('default')).toEqual({ concurrency: 10, priorities: false });
  });

  it('reads the environment variables, over which options take precedence', () => {
    const env = {
      TASK_QUEUE_URL: 'redis://localhost:6380/2',
      TASK_QUEUE_ROLE: 'worker',
      TASK_QUEUE_CONSUME: 'mail, reports',
    };
    expect(resolveOptions({}, env)).toMatchObject({
      connection: { kind: 'redis', url: env.TASK_QUEUE_URL },
      role: 'worker',
      consume: ['mail', 'reports'],
    });
    expect(resolveOptions({ connection: 'pglite:', role: 'producer', consume: '*' }, env)).toMatchObject({
      connection: { kind: 'embedded' },
      role: 'producer',
      consume: '*',
    });
  });
});

it.each(['', ' ', '\t\n'])('takes a variable that is empty (%j) for one that is not set', (empty) => {
  const names = ['URL', 'DIRECT_URL', 'PREFIX', 'ROLE', 'CONSUME', 'MIGRATIONS', 'APPLICATION'];
  const env = Object.fromEntries(names.map((name) => [`TASK_QUEUE_${name}`, empty]));
  const { connection, prefix, role, consume, mayMigrate, application } = resolveOptions({}, {});
  expect(resolveOptions({}, env)).toMatchObject({ connection, prefix, role, consume, mayMigrate, application });
  const spaced = { TASK_QUEUE_ROLE: ' worker ', TASK_QUEUE_PREFIX: 'shop ', TASK_QUEUE_MIGRATIONS: ' check' };
  expect(resolveOptions({}, spaced)).toMatchObject({ role: 'worker', prefix: 'shop', mayMigrate: false });
});

it('migrates unless migrations or its variable says otherwise', () => {
  expect(resolveOptions({}, {}).mayMigrate).toBe(true);
  expect(resolveOptions({}, { TASK_QUEUE_MIGRATIONS: 'check' }).mayMigrate).toBe(false);
  expect(resolveOptions({ migrations: 'auto' }, { TASK_QUEUE_MIGRATIONS: 'check' }).mayMigrate).toBe(true);
  expect(() => resolveOptions({}, { TASK_QUEUE_MIGRATIONS: 'never' })).toThrow(
    "TASK_QUEUE_MIGRATIONS is \"never\". Use 'auto' or 'check'.",
  );
});

describe('resolveOptions for the command worker', () => {
  const env = { TASK_QUEUE_CONSUME: 'mail' };

  it('has its settings over the options, and serves no status', () => {
    const options = { role: 'producer', consume: ['reports'], shutdown: { grace: '1m' } } as const;
    expect(resolveOptions(options, env, { processes: 1 })).toMatchObject({
      role: 'worker',
      consume: ['reports'],
      grace: 60_000,
      http: false,
      concurrency: undefined,
    });
    const settings = { processes: 1, queues: ['a', 'b'], queuesFrom: '--queues', concurrency: 7, grace: 5 };
    expect(resolveOptions(options, env, settings)).toMatchObject({
      consume: ['a', 'b'],
      consumeSource: '--queues',
      concurrency: 7,
      grace: 5,
    });
  });

  it.each([
    [{ connection: 'pglite:folder' }, '--processes is 2, but one process alone can open the folder folder'],
    [{ connection: 'pglite:' }, '--processes is 2, but tasks are in the memory of one process'],
    [{ connection: 'memory:' }, '--processes is 2, but tasks are in the memory of one process'],
  ] as const)('refuses several processes with %j', (options, message) => {
    expect(() => resolveOptions(options, {}, { processes: 2 })).toThrow(message);
    expect(resolveOptions(options, {}, { processes: 1 }).role).toBe('worker');
  });
});

it('the role worker serves no status over HTTP unless the option http is set', () => {
  expect(resolveOptions({ role: 'worker' }, {}).http).toBe(false);
  expect(resolveOptions({}, { TASK_QUEUE_ROLE: 'worker' }).http).toBe(false);
  expect(resolveOptions({ role: 'worker', http: { path: 'jobs' } }, {}).http).toEqual({ path: 'jobs' });
  expect(resolveOptions({ role: 'producer' }, {}).http).toEqual({});
});

it.each([
  ['redis://h', 'redis'],
  ['rediss://u:p@h:1/0', 'redis'],
  ['postgres://u:p@h/d', 'postgres'],
  ['postgresql://h/d?sslmode=require', 'postgres'],
  ['pglite:some/folder', 'embedded'],
  ['memory:', 'memory'],
  [new URL('redis://h'), 'redis'],
  [new URL('postgres://u:p@h/d'), 'postgres'],
  [{ host: 'h', port: 6379 }, 'redis'],
  [{ nodes: [{ host: 'h', port: 1 }] }, 'redis'],
  [{ connectionString: 'postgres://h' }, 'postgres'],
  [{ host: 'h', user: 'u', database: 'd' }, 'postgres'],
])('resolveOptions understands the connection %j', (connection, kind) => {
  expect(resolveOptions({ connection }, {}).connection.kind).toBe(kind);
});

it.each<[string, object, NodeJS.ProcessEnv?]>([
  ['connection', { connection: 'mysql://root:secret@localhost/db' }],
  ['connection', { connection: 'redis//localhost' }],
  ['connection', { connection: {} }],
  ['connection', { connection: 7 }],
  ['prefix', { prefix: 'with space', connection: 'redis://h' }],
  ['prefix', { prefix: '1st' }],
  ['prefix', { prefix: 'a"; DROP SCHEMA public; --', connection: 'postgres://h/d' }],
  ['role', { role: 'server' }],
  ['TASK_QUEUE_ROLE', {}, { TASK_QUEUE_ROLE: 'server' }],
  ['TASK_QUEUE_CONSUME', {}, { TASK_QUEUE_CONSUME: 'a:b' }],
  ['TASK_QUEUE_CONSUME', {}, { TASK_QUEUE_CONSUME: ' , ' }],
  ['consume', { consume: 'mail' }],
  ['queues', { queues: { 'a:b': {} } }],
  ['queues.mail.concurrency', { queues: { mail: { concurrency: 0 } } }],
  ['queues.mail.maxQueued', { queues: { mail: { maxQueued: 0 } } }],
  ['queues.mail.maxQueued', { queues: { mail: { maxQueued: '100_000' } } }],
  ['queues.mail.rateLimit.per', { queues: { mail: { rateLimit: { max: 1, per: 'soon' } } } }],
  ['results.ttl', { results: { ttl: 'long' } }],
  ['maxPayload', { maxPayload: -1 }],
  ['logs.keep', { logs: { keep: 0 } }],
  ['stats.keep', { stats: { keep: '1m' } }],
  ['stats.keep', { stats: { keep: 'long' as '1d' } }],
  ['logs.keep', { logs: { keep: 1e9 } }],
  ['enhancers.global', { enhancers: { global: 'no' } }],
  ['enhancers.global', { enhancers: { global: { guard: false } } }],
  ['enhancers.global', { enhancers: { global: { guards: 'no' } } }],
  ['enqueueTimeout', { enqueueTimeout: 'never' }],
  ['shutdown.grace', { shutdown: { grace: '1 minute' } }],
  ['retries', { defaults: { retries: 1.5 } }],
  ['backoff', { defaults: { backoff: 'linear' } }],
  ['conection', { conection: 'redis://h' }],
  ['queues is a list', { queues: ['mail'] }],
  ['queues is null', { queues: null }],
  ['queues.mail is null', { queues: { mail: null } }],
  ['queues.mail.concurency', { queues: { mail: { concurency: 5 } } }],
  ['queues.mail.priorities', { queues: { mail: { priorities: 'yes' } } }],
  ['queues.mail.rateLimit is a text', { queues: { mail: { rateLimit: '5/s' } } }],
  ['queues.mail.rateLimit.duration', { queues: { mail: { rateLimit: { max: 5, per: '1s', duration: 5 } } } }],
  ['results is a text', { results: '1d' }],
  ['results.tll', { results: { tll: '1d' } }],
  ['logs is 5', { logs: 5 }],
  ['stats is true', { stats: true }],
  ['shutdown is a text', { shutdown: '30s' }],
  ['enhancers.globl', { enhancers: { globl: false } }],
  ['isolation is true', { isolation: true }],
  ['outbox is a text', { outbox: 'postgres://u:secret@h/d' }],
  ['outbox.tabel', { outbox: { tabel: 'x' } }],
  ['defaults is a text', { defaults: '3' }],
  ['retires of task', { defaults: { retires: 5 } }],
  ['defaults has the option name', { defaults: { name: 'x' } }],
  ['A queue in the option consume is 5', { consume: [5] }],
  ['prefix', { prefix: 5 }],
  ['enqueueTimeout is 0', { enqueueTimeout: 0 }],
])('resolveOptions names the option %s when it is wrong: %j', (option, options, env = {}) => {
  const resolve = () => resolveOptions(options, env);
  expect(resolve).toThrow(ConfigurationError);
  expect(resolve).toThrow(option);
  expect(resolve).not.toThrow('secret');
});
