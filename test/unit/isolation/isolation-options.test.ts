import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ConfigurationError } from '../../../lib/errors.js';
import { resolveIsolation, type IsolationOptions } from '../../../lib/isolation/isolation-options.js';
import { parseMemory } from '../../../lib/memory-size.js';
import { resolveOptions } from '../../../lib/task-queue-options.js';
import { defineFrom } from '../../../lib/tasks/task-definition.js';
import type { TaskOptions } from '../../../lib/tasks/task-options.js';

const isolate = (options: TaskOptions, defaults: TaskOptions = {}) =>
  defineFrom(options, defaults, 'Pdf.render').isolate;

describe('isolation', () => {
  it('has two processes of 100 attempts by default, and the application of the worker command', () => {
    const known = { file: '/srv/app.module.js', exportName: 'AppModule' };
    expect(resolveIsolation({}, known)).toEqual({ app: known, processes: 2, maxTasks: 100 });
    expect(resolveIsolation({}, undefined)?.app).toBeUndefined();
    expect(resolveIsolation(false, known)).toBeUndefined();
  });

  it('takes a URL, an absolute and a relative path over the application of the worker command', () => {
    const file = (app: URL | string) => resolveIsolation({ app }, { file: '/other.js', exportName: 'A' })?.app;
    expect(file(new URL('file:///srv/a.js'))).toEqual({ file: '/srv/a.js', exportName: undefined });
    expect(file('file:///srv/a.js')?.file).toBe('/srv/a.js');
    expect(file('dist/a.js')?.file).toBe(resolve('dist/a.js'));
  });

  it.each<[IsolationOptions, RegExp]>([
    [{ app: new URL('https://example.com/a.js') }, /isolation\.app is "https.*import\.meta\.url.*__dirname/],
    [{ app: '' }, /isolation\.app/],
    [{ processes: 0 }, /isolation\.processes is 0\. Give a whole number/],
    [{ maxTasks: 1.5 }, /isolation\.maxTasks is 1\.5/],
    [{ export: '' }, /isolation\.export/],
    [
      { process: 2 } as IsolationOptions,
      /no option isolation\.process\. The options are: app, export, processes, maxTasks/,
    ],
  ])('refuses %j', (options, message) => {
    expect(() => resolveIsolation(options, undefined)).toThrow(ConfigurationError);
    expect(() => resolveIsolation(options, undefined)).toThrow(message);
  });

  it('makes a child take no tasks, whatever role its application has', () => {
    const options = resolveOptions({ role: 'worker', connection: 'memory:' }, {}, undefined, false, true);
    expect(options).toMatchObject({ role: 'producer', http: false, isChild: true });
  });
});

describe('isolate', () => {
  it('is a switch or a memory limit in bytes', () => {
    expect(isolate({})).toBeUndefined();
    expect(isolate({ isolate: true })).toEqual({ memory: undefined });
    expect(isolate({ isolate: { memory: '512mb' } })).toEqual({ memory: 512 * 1024 ** 2 });
    expect(isolate({ isolate: false }, { isolate: true })).toBeUndefined();
    expect(isolate({}, { isolate: {} })).toEqual({ memory: undefined });
  });

  it.each<[unknown, RegExp]>([
    [{ memory: '10mb' }, /memory in isolate of task "Pdf\.render" is "10mb".*at least 64 MB/],
    [{ memory: 'much' }, /memory in isolate of task "Pdf\.render" is "much"/],
    [{ heap: 5 }, /isolate of task "Pdf\.render" is \{"heap":5\}\. Use true, false/],
    ['yes', /isolate of task "Pdf\.render" is "yes"/],
  ])('refuses %j', (value, message) => {
    expect(() => isolate({ isolate: value as true })).toThrow(message);
  });

  it('cannot be combined with a batch, and a batch may leave it out', () => {
    const batch = { size: 2, wait: 1 };
    expect(() => isolate({ batch }, { isolate: true })).toThrow(
      /batch of task "Pdf\.render" cannot be combined with isolate/,
    );
    expect(isolate({ batch, isolate: false }, { isolate: true })).toBeUndefined();
  });
});

it('an amount of memory is bytes or a text with a unit', () => {
  expect(parseMemory('1.5gb', 'x', 0)).toBe(1.5 * 1024 ** 3);
  expect(parseMemory(2048, 'x', 0)).toBe(2048);
  expect(() => parseMemory('1tb' as never, 'x', 0)).toThrow(ConfigurationError);
  expect(() => parseMemory(NaN, 'x', 0)).toThrow(ConfigurationError);
});
