import { Inject, Injectable, Scope, UseGuards, type CanActivate } from '@nestjs/common';
import { ContextIdFactory, ModuleRef, REQUEST, type ContextIdStrategy } from '@nestjs/core';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Task, TaskContext } from 'nestjs-task-queue';
import { setImmediate as nextTurn } from 'node:timers/promises';
import v8 from 'node:v8';
import vm from 'node:vm';
import { TaskHarness } from './task-harness.js';

let tasks: TaskHarness;
afterEach(() => tasks.close());

let made = 0;

@Injectable({ scope: Scope.REQUEST })
class PerRun {}

@Injectable({ scope: Scope.REQUEST })
class ScopedGuard implements CanActivate {
  constructor(private readonly perRun: PerRun) {}

  canActivate(): boolean {
    return this.perRun instanceof PerRun;
  }
}

describe('the scope of a run', () => {
  it('is found by a provider that injects REQUEST', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Lazy {
      constructor(
        @Inject(REQUEST) private readonly request: object,
        private readonly moduleRef: ModuleRef,
        private readonly perRun: PerRun,
      ) {}

      @Task()
      async run(): Promise<boolean> {
        return (await this.moduleRef.resolve(PerRun, ContextIdFactory.getByRequest(this.request))) === this.perRun;
      }
    }
    tasks = await TaskHarness.start({ providers: [Lazy, PerRun] });
    await expect(tasks.result('Lazy.run')).resolves.toBe(true);
  });

  it('shares durable providers by the strategy of the application, which gets the headers', async () => {
    @Injectable({ scope: Scope.REQUEST, durable: true })
    class OfTenant {
      readonly number = ++made;
      constructor(@Inject(REQUEST) readonly payload: { tenant: string }) {}
    }
    @Injectable({ scope: Scope.REQUEST, durable: true })
    class Durable {
      constructor(private readonly of: OfTenant) {}

      @Task()
      run(): unknown[] {
        return [this.of.number, this.of.payload.tenant];
      }
    }
    const parents = new Map<string, { id: number }>();
    const strategy: ContextIdStrategy<TaskContext> = {
      attach(contextId, request) {
        const tenant = request.headers['tenant']!;
        const parent = parents.get(tenant) ?? { id: parents.size };
        parents.set(tenant, parent);
        return { resolve: (info) => (info.isTreeDurable ? parent : contextId), payload: { tenant } };
      },
    };
    ContextIdFactory.apply(strategy);
    try {
      tasks = await TaskHarness.start({ providers: [Durable, OfTenant] });
      made = 0;
      const run = (tenant: string) => tasks.run('Durable.run', [], { headers: { tenant } });
      const outcomes = [await run('a'), await run('b'), await run('a')];
      expect(outcomes.map((outcome) => 'result' in outcome && outcome.result)).toEqual([
        [1, 'a'],
        [2, 'b'],
        [1, 'a'],
      ]);
    } finally {
      ContextIdFactory.apply(undefined as never);
    }
  });

  it('is garbage-collected with the run', async () => {
    const refs: WeakRef<object>[] = [];
    @Injectable({ scope: Scope.REQUEST })
    class Remembered {
      constructor(@Inject(REQUEST) request: object) {
        refs.push(new WeakRef(this), new WeakRef(request));
      }
    }
    @Injectable({ scope: Scope.REQUEST })
    class Forgotten {
      constructor(private readonly remembered: Remembered) {
        refs.push(new WeakRef(this));
      }

      @Task()
      @UseGuards(ScopedGuard)
      run(): boolean {
        return this.remembered instanceof Remembered;
      }
    }
    tasks = await TaskHarness.start({ providers: [Forgotten, Remembered, PerRun] });
    const held = {};
    const heldRef = new WeakRef(held);
    for (let run = 0; run < 1_000; run++) await tasks.result('Forgotten.run');
    expect(refs).toHaveLength(3_000);
    // Node keeps the targets of WeakRefs until the turn of the event loop ends.
    await nextTurn();
    collectGarbage();
    expect(refs.filter((ref) => ref.deref()).length).toBeLessThan(10);
    // Proves that the check finds an object that is still referenced.
    expect(heldRef.deref()).toBe(held);
  });
});

function collectGarbage(): void {
  v8.setFlagsFromString('--expose-gc');
  (vm.runInNewContext('gc') as () => void)();
}
