import {
  chain,
  Signature,
  Task,
  TaskHandle,
  TaskQueueModule,
  type TaskProducer,
  type Tasks,
  type TransactionAdapter,
  type TransactionLike,
} from 'nestjs-task-queue';
import pg from 'pg';
import { expectType, typeTest, type Equal } from '../support/type-test.js';

class Mails {
  @Task()
  async confirm(_order: number): Promise<{ sent: Date }> {
    return { sent: new Date() };
  }

  @Task()
  async copy(_mail: { sent: string }): Promise<void> {}
}

declare const mails: Tasks<Mails>;
declare const client: pg.PoolClient;

typeTest('a producer in a transaction is a producer of the same task', () => {
  expectType<
    Equal<ReturnType<(typeof mails.confirm)['in']>, TaskProducer<(order: number) => Promise<{ sent: Date }>>>
  >();
  const handle = mails.confirm.in(client).with({ retries: 1 }).enqueue(1);
  expectType<Equal<Awaited<typeof handle>, TaskHandle<{ sent: string }>>>();
  void mails.confirm.in(client).enqueueMany([[1], [2]]);
  void mails.confirm.outside().enqueue(1);
  // @ts-expect-error: the argument is a number
  void mails.confirm.in(client).enqueue('1');
});

typeTest('a signature in a transaction keeps its types', () => {
  const steps = chain(mails.confirm.signature(), mails.copy.signature()).in(client);
  expectType<Equal<typeof steps, Signature<number, void>>>();
  void steps.enqueue(1);
  // @ts-expect-error: the first step lacks its argument
  void steps.enqueue();
  expectType<Equal<ReturnType<typeof steps.outside>, Signature<number, void>>>();
});

typeTest('every object may be a transaction, and an adapter is one', () => {
  const adapter: TransactionAdapter = { dialect: 'mysql', query: async () => [{ id: 1 }] };
  const like: TransactionLike = adapter;
  void mails.confirm.in(like);
  // @ts-expect-error: no such dialect
  const oracle: TransactionAdapter = { dialect: 'oracle', query: async () => [] };
  void oracle;
  // @ts-expect-error: a name is no transaction
  void mails.confirm.in('tx');
  // @ts-expect-error: nothing is no transaction
  void mails.confirm.in(undefined);
});

typeTest('the option transaction gives a transaction or nothing', () => {
  TaskQueueModule.forRoot({ transaction: () => client });
  TaskQueueModule.forRoot({ transaction: () => undefined });
  // @ts-expect-error: a function is expected
  TaskQueueModule.forRoot({ transaction: client });
});
