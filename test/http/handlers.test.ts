import {
  BadRequestException,
  Catch,
  Controller,
  Get,
  HttpCode,
  HttpException,
  Injectable,
  Post,
  Res,
  UseFilters,
  UseInterceptors,
  type ArgumentsHost,
  type CallHandler,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { APP_FILTER, BaseExceptionFilter, ExternalContextCreator, HttpAdapterHost } from '@nestjs/core';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { from, map } from 'rxjs';
import {
  EngineUnavailableError,
  IdempotencyConflictError,
  InvalidArgumentsError,
  NotSerializableError,
  PayloadTooLargeError,
  QueueFullError,
  RetryRefusedError,
  TaskNotFoundError,
  TaskQueueError,
} from '../../lib/errors.js';
import { TaskHandle } from '../../lib/results/task-handle.js';
import { TaskResults } from '../../lib/results/task-results.js';
import { platforms, startApp } from '../support/http-app.js';
import { request } from '../support/http-client.js';

const ERRORS = {
  invalid: new InvalidArgumentsError('Reports.build: month is wrong', [{ path: 'args[0]', message: 'no month' }]),
  unserializable: new NotSerializableError('args[0].when', 'is a Map, which JSON cannot hold.'),
  conflict: new IdempotencyConflictError('key-1', 'default.of-another-caller'),
  refused: new RetryRefusedError('default.x', 'Reports.build', 'default.of-another-caller'),
  large: new PayloadTooLargeError('The arguments of Reports.build', 2048, 1024),
  unavailable: new EngineUnavailableError('redis://:secret@host does not answer'),
  full: new QueueFullError('mail', 100, 100, 1),
  unknown: new TaskNotFoundError('default.x'),
};

@Injectable()
class Wrapper implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(map((data: unknown) => ({ data })));
  }
}

@Catch(IdempotencyConflictError)
class ConflictFilter implements ExceptionFilter {
  constructor(private readonly host: HttpAdapterHost) {}
  catch(error: IdempotencyConflictError, host: ArgumentsHost) {
    this.host.httpAdapter.reply(host.switchToHttp().getResponse(), { own: error.key }, 422);
  }
}

@Controller('reports')
class ReportsController {
  constructor(private readonly results: TaskResults) {}

  private handle(known = { name: 'Reports.build', initialState: 'queued' as const }) {
    return new TaskHandle(this.results, { id: 'default.0123456789012345678901', ...known });
  }

  @Post()
  async create() {
    return this.handle();
  }

  @Post('stream')
  stream() {
    return from([this.handle()]);
  }

  @Post('many')
  async many() {
    return [this.handle(), this.handle()];
  }

  @Get('none')
  none(): TaskHandle[] {
    return [];
  }

  @Get('code')
  @HttpCode(200)
  code() {
    return this.handle();
  }

  @Get('bare')
  bare() {
    return new TaskHandle(this.results, { id: 'default.bare' });
  }

  @Get('gone')
  gone() {
    return new TaskHandle(this.results, { id: 'default.gone' });
  }

  @Get('own')
  own(@Res() response: { send(body: unknown): void }) {
    response.send({ mine: true });
    return this.handle();
  }

  @Get('passthrough')
  passthrough(@Res({ passthrough: true }) response: { header(name: string, value: string): void }) {
    response.header('X-Mine', 'yes');
    return this.handle();
  }

  @Get('plain')
  plain() {
    return { id: 1 };
  }

  @Get('own-error')
  ownError() {
    throw new BadRequestException('mine');
  }

  @Get('bug')
  bug() {
    throw new Error('a bug');
  }

  @Get('filtered')
  @UseFilters(ConflictFilter)
  filtered() {
    throw ERRORS.conflict;
  }

  @Get('wrapped')
  @UseInterceptors(Wrapper)
  wrapped() {
    throw ERRORS.large;
  }
}

@Controller('errors')
class ErrorsController {}
for (const [name, error] of Object.entries(ERRORS)) {
  const method = async () => Promise.reject(error);
  Object.defineProperty(ErrorsController.prototype, name, { value: method, configurable: true });
  Get(name)(ErrorsController.prototype, name, { value: method });
}

describe.each(platforms)('handlers of the application on %s', (platform) => {
  let app: Awaited<ReturnType<typeof startApp>>;
  const get = (path: string) => request(app.url, path);
  const accepted = { id: 'default.0123456789012345678901', name: 'Reports.build', state: 'queued' };

  beforeAll(async () => {
    app = await startApp(platform, { controllers: [ReportsController, ErrorsController] });
  });
  afterAll(() => app.app.close());

  test.each([
    ['POST', '/reports'],
    ['POST', '/reports/stream'],
    ['GET', '/reports/code'],
    ['GET', '/reports/passthrough'],
  ])('%s %s returns a handle, which becomes 202 with the path of the task', async (method, path) => {
    const { status, headers, json } = await request(app.url, path, { method });
    expect(status).toBe(202);
    expect(headers).toMatchObject({ location: `/tasks/${accepted.id}`, 'retry-after': '1' });
    expect(headers['content-type']).toContain('application/json');
    expect(json()).toEqual({ ...accepted, href: `/tasks/${accepted.id}` });
    expect(headers['x-mine']).toBe(path.endsWith('passthrough') ? 'yes' : undefined);
  });

  test('a list of handles becomes 202 and a list of tasks', async () => {
    const { status, headers, json } = await request(app.url, '/reports/many', { method: 'POST' });
    const task = { ...accepted, href: `/tasks/${accepted.id}` };
    expect([status, json(), headers.location]).toEqual([202, [task, task], undefined]);
    const none = await get('/reports/none');
    expect([none.status, none.json()]).toEqual([200, []]);
  });

  test('the name and the state of a handle made from a bare id are fetched', async () => {
    app.engine.add({ id: 'default.bare', state: 'running', name: 'Reports.old' });
    const { status, json } = await get('/reports/bare');
    expect([status, json()]).toEqual([
      202,
      { id: 'default.bare', name: 'Reports.old', state: 'running', href: '/tasks/default.bare' },
    ]);
    const { status: gone, headers } = await get('/reports/gone');
    expect([gone, headers['content-type']]).toEqual([404, 'application/problem+json; charset=utf-8']);
  });

  test('the interceptor leaves a handler alone that writes its own response', async () => {
    const { status, headers, json } = await get('/reports/own');
    expect([status, json(), headers.location]).toEqual([200, { mine: true }, undefined]);
  });

  test('the interceptor leaves other values, other errors and filtered errors alone', async () => {
    expect((await get('/reports/plain')).json()).toEqual({ id: 1 });
    const own = await get('/reports/own-error');
    expect([own.status, own.json()]).toEqual([400, { message: 'mine', error: 'Bad Request', statusCode: 400 }]);
    expect(own.headers['content-type']).toContain('application/json');
    expect((await get('/reports/bug')).status).toBe(500);
    expect((await get('/reports/filtered')).json()).toEqual({ own: 'key-1' });
  });

  test.each<[keyof typeof ERRORS, object]>([
    [
      'invalid',
      {
        title: 'Bad Request',
        status: 400,
        detail: 'Reports.build: month is wrong',
        code: 'INVALID_ARGUMENTS',
        errors: [{ path: 'args[0]', message: 'no month' }],
      },
    ],
    [
      'unserializable',
      {
        title: 'Bad Request',
        status: 400,
        detail: 'args[0].when is a Map, which JSON cannot hold.',
        code: 'NOT_SERIALIZABLE',
        errors: [{ path: 'args[0].when', message: 'args[0].when is a Map, which JSON cannot hold.' }],
      },
    ],
    [
      'conflict',
      {
        title: 'Conflict',
        status: 409,
        detail: 'This idempotency key was used before, with other arguments.',
        code: 'IDEMPOTENCY_CONFLICT',
      },
    ],
    [
      'refused',
      {
        title: 'Conflict',
        status: 409,
        detail: 'The task is unique, and an equal task has not ended.',
        code: 'RETRY_REFUSED',
      },
    ],
    [
      'large',
      {
        title: 'Content Too Large',
        status: 413,
        detail: "The task's arguments are 2048 bytes of JSON, the limit is 1024.",
        code: 'PAYLOAD_TOO_LARGE',
      },
    ],
    [
      'unavailable',
      {
        title: 'Service Unavailable',
        status: 503,
        detail: 'Tasks cannot be reached at the moment.',
        code: 'ENGINE_UNAVAILABLE',
      },
    ],
    [
      'full',
      {
        title: 'Service Unavailable',
        status: 503,
        detail: 'Too many tasks wait at the moment.',
        code: 'QUEUE_FULL',
      },
    ],
    ['unknown', { title: 'Not Found', status: 404, detail: 'There is no such task.', code: 'TASK_NOT_FOUND' }],
  ])('an enqueue error (%s) becomes problem details', async (name, body) => {
    const { status, headers, json } = await get(`/errors/${name}`);
    expect(json()).toEqual({ type: 'about:blank', ...body });
    expect(status).toBe((body as { status: number }).status);
    expect(headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(headers['retry-after']).toBe(status === 503 ? '5' : undefined);
    expect(app.log.warnings).toEqual([]);
  });

  test('an enqueue error becomes problem details under an interceptor of the handler too', async () => {
    expect((await get('/reports/wrapped')).status).toBe(413);
  });

  test('the interceptor changes neither errors nor handles outside HTTP', async () => {
    const controller = { run: (): unknown => Promise.reject(ERRORS.conflict) };
    const creator = app.app.get(ExternalContextCreator);
    const run = creator.create(
      controller,
      controller.run,
      'run',
      undefined,
      undefined,
      undefined,
      undefined,
      {},
      'task',
    );
    await expect(run()).rejects.toBe(ERRORS.conflict);
    const handle = new TaskHandle(app.app.get(TaskResults), { id: 'default.x', name: 'n', initialState: 'queued' });
    controller.run = () => handle;
    const returns = creator.create(
      controller,
      controller.run,
      'run',
      undefined,
      undefined,
      undefined,
      undefined,
      {},
      'task',
    );
    expect(await returns()).toBe(handle);
  });
});

describe.each(platforms)('filters and interceptors of the application on %s', (platform) => {
  const reply = (host: ArgumentsHost, app: HttpAdapterHost, status: number, body: object) =>
    void app.httpAdapter.reply(host.switchToHttp().getResponse(), body, status);

  @Catch()
  class CatchAll implements ExceptionFilter {
    constructor(private readonly host: HttpAdapterHost) {}
    catch(error: unknown, host: ArgumentsHost) {
      const status = error instanceof HttpException ? error.getStatus() : 500;
      const { message, cause } = error as Error;
      reply(host, this.host, status, { all: message, cause: (cause as Error | undefined)?.name });
    }
  }

  @Catch(TaskQueueError)
  class Specific implements ExceptionFilter {
    constructor(private readonly host: HttpAdapterHost) {}
    catch(error: TaskQueueError, host: ArgumentsHost) {
      reply(host, this.host, 418, { specific: error.code });
    }
  }

  test('a filter for all errors gets the right status, and the error as its cause', async () => {
    const { app, url } = await startApp(platform, {
      controllers: [ErrorsController],
      providers: [{ provide: APP_FILTER, useClass: CatchAll }],
    });
    const { status, json } = await request(url, '/errors/large');
    expect([status, json()]).toEqual([
      413,
      { all: "The task's arguments are 2048 bytes of JSON, the limit is 1024.", cause: 'PayloadTooLargeError' },
    ]);
    const unknown = await request(url, '/tasks/unknown');
    expect(unknown.json()).toMatchObject({ type: 'about:blank', status: 404 });
    await app.close();
  });

  test("a filter that calls Nest's own filter sends problem details", async () => {
    const seen: unknown[] = [];
    @Catch()
    class Reporting extends BaseExceptionFilter {
      override catch(error: unknown, host: ArgumentsHost) {
        seen.push(error);
        super.catch(error, host);
      }
    }
    const { app, url, log } = await startApp(platform, {
      controllers: [ErrorsController],
      providers: [{ provide: APP_FILTER, useClass: Reporting }],
    });
    const { status, headers } = await request(url, '/errors/unavailable');
    expect([status, headers['content-type'], headers['retry-after']]).toEqual([
      503,
      'application/problem+json; charset=utf-8',
      '5',
    ]);
    expect(seen).toEqual([expect.objectContaining({ cause: ERRORS.unavailable })]);
    expect(log.warnings).toEqual([]);
    await app.close();
  });

  test('a filter that sends a body of its own sends it as JSON', async () => {
    @Catch(HttpException)
    class Own implements ExceptionFilter {
      constructor(private readonly host: HttpAdapterHost) {}
      catch(error: HttpException, host: ArgumentsHost) {
        reply(host, this.host, error.getStatus(), { statusCode: error.getStatus(), message: 'mine' });
      }
    }
    const { app, url, log } = await startApp(platform, {
      controllers: [ErrorsController],
      providers: [{ provide: APP_FILTER, useClass: Own }],
    });
    const { status, headers, json } = await request(url, '/errors/large');
    expect([status, headers['content-type'], json()]).toEqual([
      413,
      'application/json; charset=utf-8',
      { statusCode: 413, message: 'mine' },
    ]);
    expect(log.warnings).toEqual([]);
    await app.close();
  });

  test.each(['APP_FILTER', 'useGlobalFilters'])(
    'a filter that names TaskQueueError (%s) gets the error itself',
    async (way) => {
      const { app, url } = await startApp(platform, {
        controllers: [ErrorsController],
        providers: way === 'APP_FILTER' ? [{ provide: APP_FILTER, useClass: Specific }] : [],
        prepare: (created) => {
          if (way !== 'APP_FILTER') created.useGlobalFilters(new Specific(created.get(HttpAdapterHost)));
        },
      });
      const { status, json } = await request(url, '/errors/large');
      expect([status, json()]).toEqual([418, { specific: 'PAYLOAD_TOO_LARGE' }]);
      await app.close();
    },
  );

  test('a global interceptor wraps the body made from a handle, and does not change the endpoint', async () => {
    const { app, engine, url } = await startApp(platform, {
      controllers: [ReportsController],
      prepare: (created) => created.useGlobalInterceptors(new Wrapper()),
    });
    const { status, headers, json } = await request(url, '/reports', { method: 'POST' });
    expect([status, headers.location]).toEqual([202, '/tasks/default.0123456789012345678901']);
    expect(json()).toMatchObject({ data: { state: 'queued', href: headers.location } });
    const id = engine.add();
    expect((await request(url, `/tasks/${id}`)).json()).toMatchObject({ id, state: 'running' });
    await app.close();
  });
});
