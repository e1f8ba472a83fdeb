import { ForbiddenException } from '@nestjs/common';
import { describe, expect, test } from '@jest/globals';
import { EMPTY, NEVER, Observable, of, throwError } from 'rxjs';
import type { TaskFailure } from '../../lib/engine/task.js';
import type { HttpOptions } from '../../lib/http/http-options.js';
import { platforms, startApp } from '../support/http-app.js';
import { request } from '../support/http-client.js';
import { until } from '../support/until.js';

type Authorize = NonNullable<HttpOptions['authorize']>;

/** Requests of every kind for the same task. */
const KINDS: Parameters<typeof request>[2][] = [
  {},
  { method: 'DELETE' },
  { method: 'HEAD' },
  { headers: { Accept: 'text/event-stream' } },
  { headers: { Prefer: 'wait=9' } },
];

describe.each(platforms)('the answer of authorize on %s', (platform) => {
  test.each<[string, () => unknown]>([
    ['a text', () => 'denied'],
    ['a number', () => 1],
    ['an object', () => ({})],
    ['a boxed true', () => Object(true)],
    ['a list', () => [true]],
    ['a function', () => () => true],
    ['a promise of an object', async () => ({})],
    ['a promise of a text', async () => 'no'],
    ['a promise of a function', async () => () => true],
    ['a promise of an Observable', async () => of(true)],
    ['a promise that rejects with a refusal', () => Promise.reject(new ForbiddenException())],
    ['an Observable of false', () => of(false)],
    ['an Observable whose last value is false', () => of(true, false)],
    ['an Observable of an object', () => of({})],
    ['an Observable of a promise', () => of(Promise.resolve(true))],
    ['an Observable without a value', () => EMPTY],
    ['an Observable that fails with a refusal', () => throwError(() => new ForbiddenException())],
  ])('%s refuses the request', async (_, authorize) => {
    const { app, engine, url, log } = await startApp(platform, { http: { authorize: authorize as Authorize } });
    const id = engine.add({ state: 'queued' });
    for (const kind of KINDS) expect((await request(url, `/tasks/${id}`, kind)).status).toBe(404);
    expect([engine.cancelled, engine.watched, log.errors]).toEqual([[], 0, []]);
    await app.close();
  });

  test.each<[string, Authorize]>([
    ['true', () => true],
    ['a promise of true', async () => true],
    ['an Observable of true', () => of(true)],
    ['an Observable whose last value is true', () => of(false, true)],
  ])('%s lets the request in', async (_, authorize) => {
    const { app, engine, url } = await startApp(platform, { http: { authorize } });
    const id = engine.add();
    expect((await request(url, `/tasks/${id}`)).status).toBe(200);
    expect((await request(url, `/tasks/${id}`, { method: 'DELETE' })).status).toBe(202);
    await app.close();
  });

  test.each<[string, () => unknown]>([
    ['null', () => null],
    ['an Error', () => new Error('session store is down')],
  ])('an Observable that fails with %s refuses the request, and the log has the task', async (_, error) => {
    const { app, engine, url, log } = await startApp(platform, { http: { authorize: () => throwError(error) } });
    const id = engine.add();
    expect((await request(url, `/tasks/${id}`)).status).toBe(404);
    expect(log.errors).toEqual([expect.stringContaining(id)]);
    await app.close();
  });

  test.each<[string, Authorize]>([
    ['a promise that stays pending', () => new Promise(() => {})],
    ['an Observable that never ends', () => NEVER],
    ['an Observable that has a value and never ends', () => new Observable((observer) => observer.next(true))],
  ])('%s refuses the request after the limit, and the log warns with the task', async (_, authorize) => {
    const { app, engine, url, log } = await startApp(platform, {
      http: { authorize },
      times: { authorizeLimit: 10 },
    });
    const id = engine.add();
    expect((await request(url, `/tasks/${id}`)).status).toBe(404);
    expect(log.warnings).toEqual([
      expect.stringMatching(`http\\.authorize did not answer in time for task \\S+ \\(${id}\\)`),
    ]);
    await app.close();
  });

  test('a refusal by the limit ends the subscription to the Observable', async () => {
    let subscribed = 0;
    const authorize: Authorize = () =>
      new Observable(() => {
        subscribed++;
        return () => subscribed--;
      });
    const { app, engine, url } = await startApp(platform, { http: { authorize }, times: { authorizeLimit: 10 } });
    expect((await request(url, `/tasks/${engine.add()}`)).status).toBe(404);
    expect(subscribed).toBe(0);
    await app.close();
  });

  test('a promise that rejects after the limit does not end the process', async () => {
    let reject: ((error: Error) => void) | undefined;
    const authorize = () => new Promise<boolean>((_resolve, refuse) => (reject = refuse));
    const { app, engine, url } = await startApp(platform, { http: { authorize }, times: { authorizeLimit: 10 } });
    const id = engine.add();
    expect((await request(url, `/tasks/${id}`)).status).toBe(404);
    reject?.(new Error('too late'));
    expect((await request(url, '/tasks/unknown')).status).toBe(404);
    await app.close();
  });

  test('an application that closes does not wait for an authorize that never answers', async () => {
    let called = false;
    const authorize = () => {
      called = true;
      return new Promise<boolean>(() => {});
    };
    const { app, engine, url } = await startApp(platform, { http: { authorize } });
    const reply = request(url, `/tasks/${engine.add()}`);
    await until(() => called);
    const began = Date.now();
    await app.close();
    expect((await reply).status).toBe(404);
    expect(Date.now() - began).toBeLessThan(5_000);
  });
});

describe.each(platforms)('the answer of exposeErrors on %s', (platform) => {
  const error: TaskFailure = { name: 'TypeError', message: 'password is undefined' };

  test.each<[string, () => unknown]>([
    ['a text', () => 'no'],
    ['an object', () => ({})],
    ['a promise of false', async () => false],
    ['a promise that rejects', () => Promise.reject(new Error('no such policy'))],
    ['an Observable of false', () => of(false)],
  ])('%s hides the error', async (_, exposeErrors) => {
    const { app, engine, url } = await startApp(platform, { http: { exposeErrors: exposeErrors as () => boolean } });
    const id = engine.add({ state: 'failed', error });
    expect((await request(url, `/tasks/${id}`)).text).not.toContain('password');
    await app.close();
  });
});
