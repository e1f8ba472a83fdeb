import { applyDecorators } from '@nestjs/common';
import {
  defineTask,
  Schedule,
  Task,
  TaskQueue,
  type ProducerOf,
  type TaskBatch,
  type TaskHandle,
  type TaskOptions,
  type TaskProducer,
  type Tasks,
} from 'nestjs-task-queue';
import { expectType, typeTest, type Equal } from '../support/type-test.js';

interface Row {
  readonly tenant: string;
  readonly value: number;
}

class Rows {
  @Task({ batch: { size: 500, wait: '200ms', key: (row: Row) => row.tenant } })
  async store(_calls: TaskBatch<[Row]>): Promise<void> {}

  @Task({ batch: { size: 10, wait: 0 } })
  async embed(calls: TaskBatch<[text: string, model?: string]>): Promise<number[][]> {
    return calls.map(({ args: [text] }) => [text.length]);
  }

  @Task()
  one(value: number): number {
    return value;
  }
}

declare const rows: Tasks<Rows>;
declare const queue: TaskQueue;

typeTest('a producer takes the arguments of one call and has its result', () => {
  expectType<Equal<typeof rows.store, TaskProducer<(row: Row) => void>>>();
  const stored = rows.store.enqueue({ tenant: 'a', value: 1 });
  expectType<Equal<Awaited<typeof stored>, TaskHandle<void>>>();
  const embedded = rows.embed.enqueue('text');
  expectType<Equal<Awaited<typeof embedded>, TaskHandle<number[]>>>();
  void rows.embed.enqueueMany([['text', 'model']]);
  void queue.of(Rows).store.enqueue({ tenant: 'a', value: 1 });
  expectType<Equal<ProducerOf<Rows['store']>, TaskProducer<(row: Row) => void>>>();
});

typeTest('a call with other arguments does not compile', () => {
  // @ts-expect-error -- a row, not a list of rows
  void rows.store.enqueue([{ tenant: 'a', value: 1 }]);
  // @ts-expect-error -- a text
  void rows.embed.enqueue(1);
});

typeTest('a TaskBatch without the option does not compile', () => {
  class Wrong {
    // @ts-expect-error -- no option at all
    @Task()
    async first(_calls: TaskBatch<[Row]>): Promise<void> {}

    // @ts-expect-error -- other options
    @Task({ retries: 3 })
    async second(_calls: TaskBatch<[Row]>): Promise<void> {}

    // @ts-expect-error -- a name
    @Task('rows.third')
    async third(_calls: TaskBatch<[Row]>): Promise<void> {}
  }
  void Wrong;
});

typeTest('the option on a method of one call does not compile', () => {
  class Wrong {
    // @ts-expect-error -- one row
    @Task({ batch: { size: 500, wait: 0 } })
    async first(_row: Row): Promise<void> {}

    // @ts-expect-error -- a plain list
    @Task({ batch: { size: 500, wait: 0 } })
    async second(_rows: Row[]): Promise<void> {}

    // @ts-expect-error -- no parameter
    @Task({ batch: { size: 500, wait: 0 } })
    async third(): Promise<void> {}
  }
  void Wrong;
});

typeTest('a method that returns something else than a list does not compile', () => {
  class Wrong {
    // @ts-expect-error -- one number
    @Task({ batch: { size: 500, wait: 0 } })
    async store(calls: TaskBatch<[Row]>): Promise<number> {
      return calls.length;
    }
  }
  void Wrong;
});

typeTest('a key of other arguments does not compile', () => {
  class Wrong {
    // @ts-expect-error -- the calls have rows
    @Task({ batch: { size: 500, wait: 0, key: (tenant: string) => tenant } })
    async store(_calls: TaskBatch<[Row]>): Promise<void> {}
  }
  void Wrong;
});

typeTest('a contract is that of one call', () => {
  const store = defineTask<(row: Row) => Promise<number>>('rows.store');
  class StoreOfRows {
    @Task(store, { batch: { size: 500, wait: 0, key: (row) => row.tenant } })
    async store(calls: TaskBatch<[Row]>): Promise<number[]> {
      return calls.map(({ args: [{ value }] }) => value);
    }
  }
  class Wrong {
    // @ts-expect-error -- the contract has a row
    @Task(store, { batch: { size: 500, wait: 0 } })
    async texts(_calls: TaskBatch<[string]>): Promise<number[]> {
      return [];
    }

    // @ts-expect-error -- the contract has a number
    @Task(store, { batch: { size: 500, wait: 0 } })
    async results(_calls: TaskBatch<[Row]>): Promise<string[]> {
      return [];
    }
  }
  expectType<Equal<ProducerOf<typeof store>, TaskProducer<(row: Row) => Promise<number>>>>();
  void [StoreOfRows, Wrong];
});

typeTest('a method with any parameter, and composed decorators, compile', () => {
  const Mail = (options: TaskOptions) => applyDecorators(Task({ ...options, queue: 'mail' }));
  const decorator: MethodDecorator = Task();
  class Loose {
    @Task()
    // eslint-disable-next-line typescript/no-explicit-any -- that is what this test is about
    anything(value: any): unknown {
      return value;
    }

    @Mail({ retries: 1 })
    mail(): void {}

    @decorator
    plain(): void {}

    @Task({ queue: 'lists' })
    list(values: readonly Row[]): number {
      return values.length;
    }
  }
  void Loose;
});

typeTest('a schedule has the arguments of one call', () => {
  class Nightly {
    @Schedule('0 3 * * *', { args: [{ tenant: 'a', value: 1 }] })
    @Task({ batch: { size: 500, wait: 0 } })
    async store(_calls: TaskBatch<[Row]>): Promise<void> {}
  }
  class Wrong {
    // @ts-expect-error -- a row
    @Schedule('0 3 * * *', { args: ['a'] })
    @Task({ batch: { size: 500, wait: 0 } })
    async store(_calls: TaskBatch<[Row]>): Promise<void> {}
  }
  void [Nightly, Wrong];
});
