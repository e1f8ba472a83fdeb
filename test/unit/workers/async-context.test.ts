import { AsyncLocalStorage } from 'node:async_hooks';
import {
  Injectable,
  UseGuards,
  UseInterceptors,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { getTaskContext, Task, TaskContext } from 'nestjs-task-queue';
import { Observable } from 'rxjs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { TaskHarness } from './task-harness.js';

const storage = new AsyncLocalStorage<string>();
const objects = new AsyncLocalStorage<{ id: string }>();

class Entering implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    storage.enterWith(getTaskContext(context).id);
    return true;
  }
}

/** Like the guard of nestjs-cls, whose setup may be asynchronous. */
class EnteringAsync implements CanActivate {
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const store = { id: '' };
    objects.enterWith(store);
    await nextTurn();
    store.id = getTaskContext(context).id;
    return true;
  }
}

/** Like the interceptor of nestjs-cls. */
class AroundSubscription implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return new Observable((subscriber) => {
      void objects.run({ id: getTaskContext(context).id }, async () => {
        await nextTurn();
        next.handle().subscribe(subscriber);
      });
    });
  }
}

class Around implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return storage.run(getTaskContext(context).id, () => next.handle());
  }
}

@Injectable()
class Tracked {
  constructor(private readonly task: TaskContext) {}

  @Task()
  @UseGuards(Entering)
  entered(): Promise<string[]> {
    return this.ids();
  }

  @Task()
  @UseInterceptors(Around)
  around(): Promise<string[]> {
    return this.ids();
  }

  @Task()
  @UseGuards(EnteringAsync)
  enteredAsync(): Promise<string[]> {
    return this.ids();
  }

  @Task()
  @UseInterceptors(AroundSubscription)
  aroundSubscription(): Promise<string[]> {
    return this.ids();
  }

  @Task()
  after(): Promise<string[]> {
    return this.ids();
  }

  private async ids(): Promise<string[]> {
    await nextTurn();
    return [storage.getStore() ?? objects.getStore()?.id ?? 'none', this.task.id];
  }
}

describe('the store of an AsyncLocalStorage', () => {
  let tasks: TaskHarness;
  afterEach(() => tasks.close());

  it.each(['entered', 'around', 'enteredAsync', 'aroundSubscription'])(
    'reaches the method from the guard or interceptor that entered it, and no other run: %s',
    async (method) => {
      tasks = await TaskHarness.start({ providers: [Tracked] });
      const run = (id: string) => tasks.run(`Tracked.${method}`, [], { id });
      // The runs overlap, so that a store that leaks into another run fails the test.
      await expect(Promise.all(['a', 'b', 'c'].map(run))).resolves.toEqual(
        ['a', 'b', 'c'].map((id) => ({ kind: 'succeeded', result: [id, id] })),
      );
      await expect(tasks.run('Tracked.after', [], { id: 'd' })).resolves.toMatchObject({ result: ['none', 'd'] });
    },
  );
});
