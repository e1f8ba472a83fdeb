import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import type { Backoff } from '../../../lib/engine/task.js';
import { ConfigurationError } from '../../../lib/errors.js';
import { defineTask } from '../../../lib/tasks/task-contract.js';
import {
  checkPriority,
  checkQueueName,
  checkRetries,
  definitionOfContract,
  defineFrom,
  definitionsOf,
  parseBackoff,
  type TaskDefinition,
} from '../../../lib/tasks/task-definition.js';
import type { BackoffOption, TaskOptions } from '../../../lib/tasks/task-options.js';
import { Task, TaskProcessor } from '../../../lib/tasks/task.decorator.js';

const define = (options: TaskOptions = {}, defaults: TaskOptions = {}) => defineFrom(options, defaults, 'Mail.send');
/** Options as a program without types may give them. */
const untyped = (options: object) => options as TaskOptions;

describe('a task without options', () => {
  it('has every default', () => {
    expect(define()).toStrictEqual({
      name: 'Mail.send',
      aliases: [],
      queue: 'default',
      retries: 0,
      backoff: { type: 'exponential', delay: 1_000, max: 600_000, jitter: 0.5 },
      timeout: undefined,
      slow: undefined,
      expires: undefined,
      priority: 0,
      resultTtl: undefined,
      ignoreResult: false,
      mayRetry: expect.any(Function),
      unique: undefined,
      schema: undefined,
      delivery: 'at-least-once',
      acceptsJobs: false,
      batch: undefined,
      isolate: undefined,
      origin: 'Mail.send',
    });
  });

  it('may be retried after every error', () => {
    for (const error of [new Error('no'), 'no', undefined]) expect(define().mayRetry(error)).toBe(true);
  });
});

const schema = z.tuple([z.string()]);
const key = () => 'key';

describe('an option', () => {
  it.each<[option: keyof TaskDefinition, given: TaskOptions, value: unknown]>([
    ['name', { name: 'mail.send' }, 'mail.send'],
    ['queue', { queue: 'mail' }, 'mail'],
    ['retries', { retries: 5 }, 5],
    ['retries', { retries: 1_000 }, 1_000],
    ['backoff', { backoff: 'fixed' }, { type: 'fixed', delay: 1_000, max: 600_000, jitter: 0.5 }],
    ['timeout', { timeout: '5m' }, 300_000],
    ['timeout', { timeout: 0 }, 0],
    ['slow', { slow: '10m' }, 600_000],
    ['expires', { expires: '1h' }, 3_600_000],
    ['priority', { priority: 9 }, 9],
    ['resultTtl', { resultTtl: '1d' }, 86_400_000],
    ['resultTtl', { resultTtl: 0 }, 0],
    ['ignoreResult', { ignoreResult: true }, true],
    ['unique', { unique: { while: 'pending' } }, { while: 'pending' }],
    ['unique', { unique: { while: 'retained', key } }, { while: 'retained', key }],
    ['schema', { schema }, schema],
    ['delivery', { delivery: 'at-most-once' }, 'at-most-once'],
  ])('%s is read: %j', (option, given, value) => {
    expect(define(given)).toHaveProperty(option, value);
    if (option === 'name') return;
    expect(define({}, given)).toHaveProperty(option, value);
  });

  it('of the task takes precedence over the default of the module', () => {
    expect(define({ retries: 0, queue: 'a' }, { retries: 5, queue: 'b', timeout: 7 })).toMatchObject({
      retries: 0,
      queue: 'a',
      timeout: 7,
    });
  });

  it('that is undefined does not hide the default of the module', () => {
    expect(define(untyped({ retries: undefined }), { retries: 5 }).retries).toBe(5);
  });

  it.each<[option: string, options: object, value: string]>([
    ['queue', { queue: 'a.b' }, '"a.b"'],
    ['queue', { queue: '' }, '""'],
    ['retries', { retries: -1 }, '-1'],
    ['retries', { retries: 1.5 }, '1.5'],
    ['retries', { retries: 1_001 }, '1001'],
    ['retries', { retries: 'three' }, 'three'],
    ['retries', { retries: Number.NaN }, 'NaN'],
    ['backoff', { backoff: 'linear' }, '"linear"'],
    ['backoff', { backoff: { type: 'fixed', delay: '1 s' } }, '"1 s"'],
    ['timeout', { timeout: '5 minutes' }, '"5 minutes"'],
    ['timeout', { timeout: -1 }, '-1'],
    ['slow', { slow: 'a while' }, '"a while"'],
    ['slow', { slow: 0 }, '0'],
    ['expires', { expires: 'never' }, '"never"'],
    ['priority', { priority: 10 }, '10'],
    ['priority', { priority: 0.5 }, '0.5'],
    ['priority', { priority: -1 }, '-1'],
    ['resultTtl', { resultTtl: 'long' }, '"long"'],
    ['retryOn', { retryOn: 'TypeError' }, 'TypeError'],
    ['retryOn', { retryOn: [TypeError, Date] }, 'Date'],
    ['giveUpOn', { giveUpOn: [undefined] }, 'undefined'],
    ['giveUpOn', { giveUpOn: [() => true] }, 'true'],
    ['unique', { unique: { while: 'always' } }, "'pending' | 'running' | 'retained'"],
    ['unique', { unique: {} }, "'pending' | 'running' | 'retained'"],
    ['unique', { unique: { while: 'pending', key: 'id' } }, 'key'],
    ['schema', { schema: { parse: () => true } }, 'Standard Schema'],
    ['delivery', { delivery: 'exactly-once' }, '"exactly-once"'],
  ])('%s is refused when it is wrong, with the task and the value: %j', (option, options, value) => {
    for (const refused of [() => define(untyped(options)), () => define({}, untyped(options))]) {
      expect(refused).toThrow(ConfigurationError);
      expect(refused).toThrow(option);
      expect(refused).toThrow('"Mail.send"');
      expect(refused).toThrow(value);
    }
  });
});

describe('the name of a task', () => {
  it.each(['a', 'mail.send', 'Mail.send', 'größe/größer:42', '任务', 'a$', 'x'.repeat(200)])('may be %j', (name) => {
    expect(define({ name }).name).toBe(name);
  });

  it.each(['', ' ', 'a b', 'a\tb', 'a\u0000b', 'a\u0085b', '$group', 'x'.repeat(201)])('may not be %j', (name) => {
    expect(() => define({ name })).toThrow(ConfigurationError);
    expect(() => define({ name })).toThrow('Mail.send');
  });
});

describe('the backoff', () => {
  it.each<[option: BackoffOption, backoff: Backoff]>([
    ['fixed', { type: 'fixed', delay: 1_000, max: 600_000, jitter: 0.5 }],
    ['exponential', { type: 'exponential', delay: 1_000, max: 600_000, jitter: 0.5 }],
    [{ type: 'fixed' }, { type: 'fixed', delay: 1_000, max: 600_000, jitter: 0.5 }],
    [
      { type: 'exponential', delay: '250ms', max: '1m', jitter: 0 },
      { type: 'exponential', delay: 250, max: 60_000, jitter: 0 },
    ],
    [
      { type: 'fixed', delay: 0, max: 0, jitter: 1 },
      { type: 'fixed', delay: 0, max: 0, jitter: 1 },
    ],
  ])('%j is read', (option, backoff) => {
    expect(parseBackoff(option, 'with({ backoff })')).toStrictEqual(backoff);
  });

  it.each<[option: unknown, named: string]>([
    ['linear', '"linear"'],
    [{}, 'undefined'],
    [{ type: 'fixed', delay: 'soon' }, '"soon"'],
    [{ type: 'fixed', max: -1 }, '-1'],
    [{ type: 'fixed', jitter: 1.1 }, '1.1'],
    [{ type: 'fixed', jitter: -0.1 }, '-0.1'],
    [{ type: 'fixed', jitter: Number.NaN }, 'NaN'],
  ])('%j is refused, with its place and the value', (option, named) => {
    const parse = () => parseBackoff(option as BackoffOption, 'with({ backoff })');
    expect(parse).toThrow(ConfigurationError);
    expect(parse).toThrow('with({ backoff })');
    expect(parse).toThrow(named);
  });
});

describe('another attempt', () => {
  class NetworkError extends Error {}
  class TimeoutError extends NetworkError {}
  const [network, timeout, other] = [new NetworkError(), new TimeoutError(), new TypeError()];

  it.each<[what: string, options: TaskOptions, retried: readonly unknown[]]>([
    ['every error', {}, [network, timeout, other]],
    ['errors of a class and its subclasses', { retryOn: NetworkError }, [network, timeout]],
    ['errors of a subclass only', { retryOn: TimeoutError }, [timeout]],
    ['errors of several classes', { retryOn: [TypeError, TimeoutError] }, [timeout, other]],
    ['every error, by the class Error', { retryOn: Error }, [network, timeout, other]],
    ['no error, by an empty list', { retryOn: [] }, []],
    ['errors that a function accepts', { retryOn: (error: unknown) => error === other }, [other]],
    ['errors that giveUpOn does not name', { giveUpOn: TimeoutError }, [network, other]],
    [
      'errors that a function of giveUpOn refuses',
      { giveUpOn: (error: unknown) => error === other },
      [network, timeout],
    ],
    ['what retryOn names and giveUpOn does not', { retryOn: NetworkError, giveUpOn: [TimeoutError] }, [network]],
  ])('follows %s', (_, options, retried) => {
    expect([network, timeout, other].filter((error) => define(options).mayRetry(error))).toEqual(retried);
  });

  it.each(['text', undefined, null, { name: 'Error' }])('does not follow %j when retryOn names classes', (thrown) => {
    expect(define({ retryOn: Error }).mayRetry(thrown)).toBe(false);
    expect(define({ giveUpOn: Error }).mayRetry(thrown)).toBe(true);
  });
});

describe('a check of one value', () => {
  it.each<[what: string, check: () => unknown, value: unknown]>([
    ['a queue', () => checkQueueName('mail-2_x', 'with({ queue })'), 'mail-2_x'],
    ['no retries', () => checkRetries(0, 'with({ retries })'), 0],
    ['a priority', () => checkPriority(0, 'with({ priority })'), 0],
  ])('gives %s back', (_, check, value) => {
    expect(check()).toBe(value);
  });

  it.each<[what: string, check: () => unknown]>([
    ['with({ queue })', () => checkQueueName('-x', 'with({ queue })')],
    ['with({ retries })', () => checkRetries(-1, 'with({ retries })')],
    ['with({ priority })', () => checkPriority(10, 'with({ priority })')],
  ])('names %s when it is wrong', (what, check) => {
    expect(check).toThrow(ConfigurationError);
    expect(check).toThrow(what);
  });
});

const charge = defineTask<(cents: number) => void>('billing.charge', { queue: 'billing', retries: 4 });

@TaskProcessor({ queue: 'mail', retries: 2 })
class Mail {
  @Task()
  send(): void {}

  @Task('mail.digest')
  digest(): void {}

  @Task({ queue: 'slow', timeout: '5m' })
  report(): void {}

  @Task(charge)
  charge(_cents: number): void {}

  helper(): void {}
}

class SpecialMail extends Mail {
  @Task({ retries: 9 })
  override send(): void {}

  @Task()
  extra(): void {}
}

describe('the definitions of a class', () => {
  const definitions = (target: Function, defaults: TaskOptions = {}) =>
    Object.fromEntries(
      Array.from(definitionsOf(target, defaults), ([method, { name, queue, retries }]) => [
        method,
        [name, queue, retries],
      ]),
    );

  it('have the options of the method, of the class and of the module, in this order', () => {
    expect(definitions(Mail, { queue: 'module', retries: 1 })).toEqual({
      send: ['Mail.send', 'mail', 2],
      digest: ['mail.digest', 'mail', 2],
      report: ['Mail.report', 'slow', 2],
      charge: ['billing.charge', 'billing', 4],
    });
  });

  it('include inherited tasks, named after the class itself, and those declared again', () => {
    expect(definitions(SpecialMail)).toEqual({
      send: ['SpecialMail.send', 'mail', 9],
      digest: ['mail.digest', 'mail', 2],
      report: ['SpecialMail.report', 'slow', 2],
      charge: ['billing.charge', 'billing', 4],
      extra: ['SpecialMail.extra', 'mail', 2],
    });
  });

  it('of a class without tasks are none', () => {
    expect(definitionsOf(class Plain {}, {})).toEqual(new Map());
  });

  it('say where a task is declared', () => {
    expect(definitionsOf(Mail, {}).get('digest')?.origin).toBe('Mail.digest');
  });
});

it('gives a contract its name and options over the defaults of the module', () => {
  expect(definitionOfContract(charge, { queue: 'module', timeout: 7 })).toMatchObject({
    name: 'billing.charge',
    origin: 'billing.charge',
    queue: 'billing',
    retries: 4,
    timeout: 7,
  });
});

describe('aliases', () => {
  it('are the earlier names of the task, without the name itself', () => {
    expect(define({ aliases: ['Old.send', 'Mail.send'] }).aliases).toEqual(['Old.send']);
  });

  it.each<[unknown, string]>([
    ['Old.send', 'aliases of task "Mail.send" is "Old.send". Give a list of earlier names'],
    [['two words'], '"two words" in aliases of task "Mail.send" is no task name'],
    [['$group'], '"$group" in aliases of task "Mail.send" is no task name'],
  ])('%j is refused', (aliases, message) => {
    expect(() => define(untyped({ aliases }))).toThrow(message);
  });
});

describe('@TaskProcessor() on a subclass', () => {
  @TaskProcessor({ queue: 'mail', retries: 2 })
  class Base {
    @Task()
    send(): void {}
  }
  @TaskProcessor()
  class Same extends Base {}
  @TaskProcessor({ retries: 3 })
  class Other extends Same {}

  it.each([
    [Same, 'mail', 2],
    [Other, 'mail', 3],
  ])('inherits what it does not set: %p', (target, queue, retries) => {
    expect(definitionsOf(target, {}).get('send')).toMatchObject({ queue, retries });
  });
});

describe('@Task() on a method that cannot be a task', () => {
  class Static {
    @Task()
    static run(): void {}
  }
  class InheritsStatic extends Static {}
  const KEY = Symbol('key');
  class Symbolic {
    @Task()
    [KEY](): void {}
  }

  it.each([
    [Static, 'Static.run has a @Task() and is static'],
    [InheritsStatic, 'InheritsStatic.run has a @Task() and is static'],
    [Symbolic, 'Symbolic[Symbol(key)] has a @Task() and has a symbol for its name'],
  ])('is refused: %p', (target, message) => {
    expect(() => definitionsOf(target, {})).toThrow(ConfigurationError);
    expect(() => definitionsOf(target, {})).toThrow(message);
  });
});
