import {
  Catch,
  Inject,
  Injectable,
  Module,
  Scope,
  UseFilters,
  UseInterceptors,
  UsePipes,
  ValidationPipe,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplicationContext,
  type NestInterceptor,
} from '@nestjs/common';
import { APP_GUARD, NestFactory, REQUEST } from '@nestjs/core';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { IsInt } from 'class-validator';
import {
  getTaskContext,
  Task,
  TaskContext,
  TaskQueue,
  TaskQueueModule,
  type TaskContextType,
  type Tasks,
} from 'nestjs-task-queue';
import { map, type Observable } from 'rxjs';
import { describeEachEngine } from '../support/engines.js';

class Order {
  @IsInt()
  cents!: number;
}

/** A global guard (`APP_GUARD`). */
class TenantGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.getType<TaskContextType>() === 'task' && getTaskContext(context).headers['tenant'] !== 'nobody';
  }
}

class Envelope implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((data: unknown) => ({ data, attempt: getTaskContext(context).attempt })));
  }
}

@Catch(RangeError)
class Translation implements ExceptionFilter {
  catch(error: RangeError, host: ArgumentsHost): never {
    throw Object.assign(new Error(`${error.message} in ${getTaskContext(host).name}`), { code: 'TRANSLATED' });
  }
}

@Injectable()
class Orders {
  @Task()
  @UsePipes(new ValidationPipe())
  @UseInterceptors(Envelope)
  place(order: Order): number {
    return order.cents;
  }

  @Task()
  @UseFilters(Translation)
  fail(): never {
    throw new RangeError('too much');
  }
}

@Injectable({ scope: Scope.REQUEST })
class PerRun {
  constructor(@Inject(REQUEST) private readonly request: TaskContext) {}

  @Task()
  id(): string {
    return this.request.id;
  }
}

describeEachEngine('enhancers', (engine) => {
  let app: INestApplicationContext;
  let orders: Tasks<Orders>;

  beforeAll(async () => {
    @Module({
      imports: [TaskQueueModule.forRoot(await engine.place())],
      providers: [Orders, PerRun, { provide: APP_GUARD, useClass: TenantGuard }],
    })
    class App {}
    app = await NestFactory.createApplicationContext(App, { logger: false });
    orders = app.get(TaskQueue).of(Orders);
  });
  afterAll(() => app.close());

  const failure = (name: string, more: object = {}) => ({ name: 'TaskFailedError', cause: { name, ...more } });

  it('guards, pipes and interceptors run around the method of a task', async () => {
    const handle = await orders.place.with({ headers: { tenant: 'one' } }).enqueue({ cents: 5 });
    await expect(handle.result({ timeout: '10s' })).resolves.toEqual({ data: 5, attempt: 1 });
  });

  it('a task that a pipe or a guard refuses fails without retries', async () => {
    const invalid = await orders.place.with({ retries: 3 }).enqueue({ cents: 'five' } as never);
    const refused = await orders.place.with({ retries: 3, headers: { tenant: 'nobody' } }).enqueue({ cents: 5 });
    await expect(invalid.result({ timeout: '10s' })).rejects.toMatchObject(failure('BadRequestException'));
    await expect(refused.result({ timeout: '10s' })).rejects.toMatchObject(failure('ForbiddenException'));
    await expect(invalid.status()).resolves.toMatchObject({ state: 'failed', attempt: 1, maxAttempts: 4 });
    await expect(refused.status()).resolves.toMatchObject({ state: 'failed', attempt: 1, maxAttempts: 4 });
  });

  it('a task fails with the error that its filter throws', async () => {
    const handle = await orders.fail.enqueue();
    const cause = { message: 'too much in Orders.fail', code: 'TRANSLATED' };
    await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject(failure('Error', cause));
  });

  it('each run gets new request-scoped providers', async () => {
    const handles = await app.get(TaskQueue).of(PerRun).id.enqueueMany([[], [], []]);
    const ids = await Promise.all(handles.map((handle) => handle.result({ timeout: '10s' })));
    expect(ids).toEqual(handles.map(({ id }) => id));
  });
});
