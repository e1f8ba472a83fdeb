import {
  All,
  BadRequestException,
  Controller,
  Get,
  Post,
  RequestMethod,
  RequestTimeoutException,
  VersioningType,
  type INestApplication,
  type Type,
} from '@nestjs/common';
import { APP_GUARD, RouterModule } from '@nestjs/core';
import { describe, expect, test } from '@jest/globals';
import { catchError, throwError, timeout } from 'rxjs';
import { ConfigurationError } from '../../lib/errors.js';
import { TaskHandle } from '../../lib/results/task-handle.js';
import { TaskResults } from '../../lib/results/task-results.js';
import { FakeEngine } from '../support/fake-engine.js';
import { platforms, startApp, TasksOverHttpModule, type Setting } from '../support/http-app.js';
import { openEvents, request } from '../support/http-client.js';
import { until } from '../support/until.js';

@Controller({ path: 'reports', version: ['1', '2'] })
class ReportsController {
  constructor(private readonly results: TaskResults) {}

  @Post(['', 'of/:shop'])
  create() {
    return new TaskHandle(this.results, { id: 'default.a', name: 'Reports.build', initialState: 'queued' });
  }
}

@Controller('own')
class OwnTask {
  @Get(':number')
  find() {
    return 'mine';
  }
}

@Controller(['own', 'own/things'])
class OwnTaskOfAll {
  @All(':id')
  find() {
    return 'mine';
  }
}

@Controller('tasks')
class AppTasksController {
  @Get('mine/all')
  all() {
    return 'mine';
  }
}

describe.each(platforms)('the path of the endpoint on %s', (platform) => {
  test.each<[string, string, string, (app: INestApplication) => void]>([
    ['under a global prefix', '/reports', '/api/tasks', (app) => app.setGlobalPrefix('api')],
    ['under a long global prefix', '/reports', '/api/v2/tasks', (app) => app.setGlobalPrefix('/api/v2/')],
    [
      'excluded from the global prefix',
      '/reports',
      '/tasks',
      (app) => app.setGlobalPrefix('api', { exclude: [{ path: 'tasks/:id', method: RequestMethod.ALL }] }),
    ],
    [
      'beside versions in the URL',
      '/v1/reports',
      '/tasks',
      (app) => app.enableVersioning({ type: VersioningType.URI }),
    ],
    [
      'beside a default version, under a prefix',
      '/v2/reports',
      '/api/tasks',
      (app) => app.setGlobalPrefix('api').enableVersioning({ type: VersioningType.URI, defaultVersion: '2' }),
    ],
  ])('the endpoint is found %s', async (place, reports, tasks, prepare) => {
    const { app, engine, url } = await startApp(platform, { controllers: [ReportsController], prepare });
    engine.add({ id: 'default.a' });
    const prefix = tasks.replace(/\/tasks$/, '');
    const path = prefix.startsWith('/api') ? `${prefix}${reports}` : reports;
    const created = await request(url, place.startsWith('excluded') ? `/api${reports}` : path, { method: 'POST' });
    expect(created.headers.location).toBe(`${tasks}/default.a`);
    expect((await request(url, created.headers.location as string)).status).toBe(200);
    expect((await request(url, `${tasks}/${'a'.repeat(10_000)}`)).json()).toMatchObject({ code: 'TASK_NOT_FOUND' });
    await app.close();
  });

  test.each([
    ['header', { type: VersioningType.HEADER, header: 'X-Version' } as const, { 'X-Version': '7' }],
    ['media type', { type: VersioningType.MEDIA_TYPE, key: 'v=' } as const, { Accept: 'application/json;v=7' }],
  ])('the endpoint answers for every version that a %s demands', async (_, versioning, headers) => {
    const { app, engine, url } = await startApp(platform, {
      prepare: (created) => created.enableVersioning(versioning),
    });
    const id = engine.add();
    expect((await request(url, `/tasks/${id}`, { headers })).status).toBe(200);
    expect((await request(url, `/tasks/${id}`)).status).toBe(200);
    await app.close();
  });

  test('the endpoint is at the path of the option, and nowhere when it is off', async () => {
    const moved = await startApp(platform, { http: { path: 'internal/jobs' } });
    const id = moved.engine.add();
    expect((await request(moved.url, `/internal/jobs/${id}`)).status).toBe(200);
    expect((await request(moved.url, `/tasks/${id}`)).headers['content-type']).not.toContain('problem');
    await moved.app.close();

    const off = await startApp(platform, { http: false, controllers: [ReportsController] });
    const nowhere = await request(off.url, `/tasks/${off.engine.add()}`);
    expect([nowhere.status, nowhere.headers['content-type']]).toEqual([404, 'application/json; charset=utf-8']);
    expect((await request(off.url, '/reports', { method: 'POST' })).status).toBe(201);
    await off.app.close();
  });

  test('two applications with two engines and two paths do not affect each other', async () => {
    const [one, two] = [new FakeEngine(), new FakeEngine()];
    const first = await startApp(platform, { engine: one, http: { path: 'one' } });
    const second = await startApp(platform, { engine: two, http: { path: 'two' } });
    const id = one.add();
    expect((await request(first.url, `/one/${id}`)).status).toBe(200);
    expect((await request(second.url, `/two/${id}`)).status).toBe(404);
    expect((await request(second.url, `/two/${two.add()}`)).status).toBe(200);
    await first.app.close();
    await second.app.close();
  });

  test('the endpoint is below the path that RouterModule gives to its module', async () => {
    const { app, engine, url } = await startApp(platform, {
      controllers: [ReportsController],
      imports: [RouterModule.register([{ path: 'shops/:shop', module: TasksOverHttpModule }])],
      prepare: (created) => created.setGlobalPrefix('api').enableVersioning({ type: VersioningType.URI }),
    });
    engine.add({ id: 'default.a' });
    const created = await request(url, '/api/v1/reports/of/bonn', { method: 'POST' });
    expect(created.headers.location).toBe('/api/shops/bonn/tasks/default.a');
    expect((await request(url, '/api/shops/bonn/tasks/default.a')).status).toBe(200);
    expect((await request(url, `/api/shops/bonn/tasks/${'a'.repeat(10_000)}`)).status).toBe(404);
    await app.close();
  });

  test.each<[string, Type, Setting]>([
    ['a parameter of any name', OwnTask, {}],
    ['a prefix', OwnTask, { prepare: (app: INestApplication) => app.setGlobalPrefix('api') }],
    ['a route for all methods', OwnTaskOfAll, {}],
    ['another path of the endpoint', OwnTaskOfAll, { http: { path: '/own/things' } }],
  ])('a route of the application with the path of the endpoint is an error: %s', async (_, controller, setting) => {
    const starting = startApp(platform, { controllers: [controller], http: { path: 'own' }, ...setting });
    await expect(starting).rejects.toThrow(ConfigurationError);
    await expect(starting).rejects.toThrow(/OwnTask\w*\.find serves \/(api\/)?own.*option http\.path/s);
  });

  test.each<[string, Setting]>([
    ['the endpoint is off', { http: false }],
    ['the endpoint is elsewhere', { http: { path: 'jobs' } }],
    [
      'the route has a version in the URL',
      {
        http: { path: 'own' },
        prepare: (app) => app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' }),
      },
    ],
  ])('a route of the application is no error when %s', async (_, setting) => {
    const { app, url } = await startApp(platform, { controllers: [OwnTask], ...setting });
    const path = setting.prepare ? '/v1/own/7' : '/own/7';
    expect((await request(url, path)).text).toBe('mine');
    await app.close();
  });

  test('routes of the application below the path of the endpoint still work', async () => {
    const { app, url } = await startApp(platform, { controllers: [AppTasksController] });
    expect((await request(url, '/tasks/mine/all')).text).toBe('mine');
    expect((await request(url, '/tasks/mine/other')).json()).toMatchObject({ message: 'Cannot GET /tasks/mine/other' });
    await app.close();
  });

  test('guards of the application apply to the endpoint, pipes do not', async () => {
    let open = true;
    const { app, engine, url } = await startApp(platform, {
      providers: [{ provide: APP_GUARD, useValue: { canActivate: () => open } }],
      prepare: (created) =>
        created.useGlobalPipes({
          transform: () => {
            throw new BadRequestException();
          },
        }),
    });
    const id = engine.add();
    expect((await request(url, `/tasks/${id}?wait=0`)).status).toBe(200);
    open = false;
    expect((await request(url, `/tasks/${id}`)).status).toBe(403);
    await app.close();
  });

  test('an interceptor that limits the time of handlers does not cut off a client that waits', async () => {
    const { app, engine, url } = await startApp(platform, {
      prepare: (created) =>
        created.useGlobalInterceptors({
          intercept: (_, next) =>
            next.handle().pipe(
              timeout(20),
              catchError(() => throwError(() => new RequestTimeoutException())),
            ),
        }),
    });
    const id = engine.add();
    const poll = request(url, `/tasks/${id}?wait=10`);
    const events = await openEvents(url, `/tasks/${id}`);
    await events.next();
    await until(() => engine.watched === 1);
    await new Promise((resolve) => setTimeout(resolve, 40)); // Longer than the limit of the interceptor.
    engine.succeed(id);
    expect((await poll).json()).toMatchObject({ state: 'succeeded' });
    expect((await events.next())?.status).toMatchObject({ state: 'succeeded' });
    await app.close();
  });

  test('the endpoint does not change a response that an interceptor has sent already', async () => {
    const engine = new FakeEngine();
    const id = engine.add();
    const find = engine.find.bind(engine);
    let resume = () => {};
    engine.find = async (asked) => {
      await new Promise<void>((resolve) => (resume = resolve));
      return find(asked);
    };
    const late = await startApp(platform, {
      engine,
      prepare: (created) =>
        created.useGlobalInterceptors({
          intercept: (_, next) =>
            next.handle().pipe(
              timeout(20),
              catchError(() => throwError(() => new RequestTimeoutException())),
            ),
        }),
    });
    for (const headers of [{ Accept: '*/*' }, { Accept: 'text/event-stream' }]) {
      expect((await request(late.url, `/tasks/${id}?wait=20`, { headers })).status).toBe(408);
      resume();
    }
    await late.app.close();
    expect([engine.watched, late.log.errors]).toEqual([0, []]);
  });

  test('immediate and late answers have CORS headers', async () => {
    const { app, engine, url } = await startApp(platform, {
      prepare: (created) => created.enableCors({ origin: ['https://shop.example'] }),
    });
    const id = engine.add();
    const headers = { Origin: 'https://shop.example' };
    const late = request(url, `/tasks/${id}?wait=10`, { headers });
    await until(() => engine.watched === 1);
    engine.succeed(id);
    for (const reply of [await late, await request(url, `/tasks/${id}`, { headers })]) {
      expect(reply.headers['access-control-allow-origin']).toBe('https://shop.example');
      expect(reply.headers.vary?.split(/, ?/).toSorted()).toEqual(['Accept', 'Origin']);
    }
    await app.close();
  });
});
