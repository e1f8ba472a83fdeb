import {
  chain,
  chord,
  defineTask,
  group,
  Task,
  type Signature,
  type TaskContext,
  type TaskHandle,
  type TaskQueue,
  type Tasks,
} from 'nestjs-task-queue';
import { expectType, typeTest, type Equal } from '../support/type-test.js';

class Maths {
  @Task()
  async add(a: number, b: number): Promise<number> {
    return a + b;
  }

  @Task()
  double(value: number, times = 2): number {
    return value * times;
  }

  @Task()
  text(value: number): string {
    return String(value);
  }

  @Task()
  length(value: string): number {
    return value.length;
  }

  @Task()
  five(_value: number): 5 {
    return 5;
  }

  @Task()
  sum(values: number[]): number {
    return values.length;
  }

  @Task()
  join(...words: string[]): string {
    return words.join();
  }

  @Task()
  ping(): void {}

  @Task()
  report(error: { name: string; message: string }): void {
    void error;
  }
}

declare const maths: Tasks<Maths>;
declare const queue: TaskQueue;
declare const context: TaskContext;
const { add, double, text, length, five, sum, join, ping, report } = maths;

typeTest('a signature is complete, or lacks its first argument', async () => {
  const complete = add.signature(1, 2);
  expectType<Equal<typeof complete, Signature<void, number>>>();
  const partial = add.signature(2);
  expectType<Equal<typeof partial, Signature<number, number>>>();
  expectType<Equal<Awaited<ReturnType<typeof complete.enqueue>>, TaskHandle<number>>>();
  const either = double.signature(5);
  expectType<Equal<typeof either, Signature<void | number, number>>>();
  await either.enqueue();
  const nothing = ping.signature();
  expectType<Equal<typeof nothing, Signature<unknown, void>>>();
  await nothing.enqueue();
  chain(add.signature(1, 2), ping.signature());
  const words = join.signature('a');
  expectType<Equal<typeof words, Signature<void | string, string>>>();
  // @ts-expect-error two arguments are missing
  add.signature();
  // @ts-expect-error text is no number
  add.signature('1', 2);
  // @ts-expect-error there is no third argument
  add.signature(1, 2, 3);
});

typeTest('a signature without its first argument cannot be enqueued without it', async () => {
  await add.signature(1, 2).enqueue();
  // @ts-expect-error
  await add.signature(2).enqueue();
  // @ts-expect-error
  await chain(add.signature(2), double.signature()).enqueue();
  // @ts-expect-error
  await group([add.signature(2)]).enqueue();
  await add.signature(2).immutable().enqueue();
});

typeTest('enqueue() takes the missing first argument of a signature', async () => {
  const handle = await add.signature(2).enqueue(4);
  expectType<Equal<typeof handle, TaskHandle<number>>>();
  await double.signature(5).enqueue(4);
  await chain(add.signature(2), double.signature()).enqueue(4);
  await group([add.signature(2), double.signature()]).enqueue(4);
  await queue.of('any.name').signature().enqueue('anything');
  const given = await queue.enqueue(chain(add.signature(2), text.signature()), 4);
  expectType<Equal<typeof given, TaskHandle<string>>>();
  await queue.enqueue(add.signature(1, 2));
  // @ts-expect-error
  await queue.enqueue(add.signature(2));
  // @ts-expect-error
  await queue.enqueue(add.signature(1, 2), 3);
  // @ts-expect-error text is no number
  await add.signature(2).enqueue('4');
  // @ts-expect-error no argument is missing
  await add.signature(1, 2).enqueue(3);
  // @ts-expect-error no argument is missing
  await chain(add.signature(1, 2), double.signature()).enqueue(3);
  // @ts-expect-error the signature takes no input
  await add.signature(2).immutable().enqueue(3);
  // @ts-expect-error the signature takes no input
  await text.map([1, 2]).enqueue(3);
  // @ts-expect-error one member lacks a number, the other lacks nothing
  await group([add.signature(1, 2), add.signature(1)]).enqueue(3);
});

typeTest('each step of a chain takes the result of the step before', async () => {
  const whole = chain(add.signature(1, 2), double.signature(), text.signature(), join.signature('b'));
  expectType<Equal<typeof whole, Signature<void, string>>>();
  const tail = chain(double.signature(), text.signature());
  expectType<Equal<typeof tail, Signature<number, string>>>();
  const result = await (await chain(add.signature(1, 2), tail).enqueue()).result();
  expectType<Equal<typeof result, string>>();
  // @ts-expect-error text is no number
  chain(text.signature(1), double.signature());
  // @ts-expect-error add(1, 2) has no place for an earlier result
  chain(double.signature(1), add.signature(1, 2));
  chain(double.signature(1), add.signature(1, 2).immutable());
  // @ts-expect-error the third step takes no text
  chain(add.signature(1, 2), text.signature(), double.signature());
  const eight = double.signature();
  const long = chain(eight, eight, eight, eight, eight, eight, eight, text.signature());
  expectType<Equal<typeof long, Signature<number, string>>>();
  const many = chain(add.signature(1, 2), ...[1, 2, 3].map((times) => double.signature(times)));
  expectType<Equal<typeof many, Signature<void, number>>>();
});

typeTest('a chain of nine steps and more has the exact types of a short chain', () => {
  const [d, t, l] = [double.signature(), text.signature(), length.signature()];
  const nine = chain(add.signature(1, 2), t, l, t, l, t, l, t, l);
  expectType<Equal<typeof nine, Signature<void, number>>>();
  const ten = chain(d, t, l, t, l, t, l, t, l, t);
  expectType<Equal<typeof ten, Signature<number, string>>>();
  const narrow = chain(d, d, d, d, d, d, d, d, d, five.signature());
  expectType<Equal<typeof narrow, Signature<number, 5>>>();
  const name = queue.of('any.name').signature();
  const mixed = chain(d, name, name, ping.signature(), d.immutable(), d, d, double.signature(3), d, group([d, t]));
  expectType<Equal<typeof mixed, Signature<number, [number, string]>>>();
  const spread = chain(t, l, t, l, t, l, t, l, d, ...[1, 2].map((times) => double.signature(times)));
  expectType<Equal<typeof spread, Signature<number, number>>>();
  // prettier-ignore
  const long = chain(d, t, l, t, l, t, l, t, l, t, l, t, l, t, l, t, l, t, l, t, l, t, l, t, l, t, l, t, l, t, l, t, l, t);
  expectType<Equal<typeof long, Signature<number, string>>>();
  const generic = <T>(first: Signature<void, T>, rest: Signature<T, T>[]): Signature<void, T> => chain(first, ...rest);
  void generic;
  // @ts-expect-error the last step takes text
  chain(d, d, d, d, d, d, d, d, d, l);
  // @ts-expect-error the fifth step takes a number
  chain(d, t, l, t, t, l, t, l, t, l);
  // @ts-expect-error the last step has no place for an earlier result
  chain(d, d, d, d, d, d, d, d, d, add.signature(1, 2));
  // @ts-expect-error the steps of the list take a number
  chain(d, d, d, d, d, d, d, d, t, ...[d, d].map((step) => step));
});

typeTest('a group returns a list', async () => {
  const tuple = group([add.signature(1, 2), text.signature(1)]);
  expectType<Equal<typeof tuple, Signature<void, [number, string]>>>();
  const list = group([1, 2, 3].map((value) => text.signature(value)));
  expectType<Equal<typeof list, Signature<void, string[]>>>();
  const empty = group([]);
  await empty.enqueue();
  const collected = group([add.signature(1, 2)], { onFailure: 'collect' });
  const [first] = await (await collected.enqueue()).result();
  if (first.ok) expectType<Equal<typeof first.value, number>>();
  else expectType<Equal<typeof first.error.message, string>>();
  const fed = chain(add.signature(1, 2), group([double.signature(), text.signature()]));
  expectType<Equal<typeof fed, Signature<void, [number, string]>>>();
  // @ts-expect-error a string is no number
  chain(text.signature(1), group([double.signature()]));
  // @ts-expect-error
  group([add.signature(1, 2)], { onFailure: 'ignore' });
});

typeTest('the callback of a chord takes the list', () => {
  const ofGroup = chord(group([add.signature(1, 2), add.signature(3, 4)]), sum.signature());
  expectType<Equal<typeof ofGroup, Signature<void, number>>>();
  const ofList = chord(
    [1, 2].map((value) => double.signature(value)),
    sum.signature(),
  );
  expectType<Equal<typeof ofList, Signature<void | number, number>>>();
  // @ts-expect-error strings are no numbers
  chord(group([text.signature(1)]), sum.signature());
  // @ts-expect-error
  chord([text.signature(1)], sum.signature());
});

typeTest('immutable(), with() and links keep the types of the signature', () => {
  expectType<Equal<ReturnType<ReturnType<typeof add.signature<[number]>>['immutable']>, Signature<unknown, number>>>();
  const later = add.signature(1, 2).with({ delay: '1m', headers: { a: 'b' } });
  expectType<Equal<typeof later, Signature<void, number>>>();
  const linked = add.signature(1, 2).onSuccess(double.signature()).onError(report.signature());
  expectType<Equal<typeof linked, Signature<void, number>>>();
  add.signature(1, 2).onError(ping.signature().immutable());
  // @ts-expect-error the result is a number
  add.signature(1, 2).onSuccess(join.signature());
  // @ts-expect-error an error is no number
  add.signature(1, 2).onError(double.signature());
  // @ts-expect-error no such option
  add.signature(1, 2).with({ dealy: '1m' });
});

typeTest('map(), starmap() and chunks() take lists of arguments', () => {
  const mapped = text.map([1, 2]);
  expectType<Equal<typeof mapped, Signature<unknown, string[]>>>();
  const starred = add.starmap([
    [1, 2],
    [3, 4],
  ]);
  expectType<Equal<typeof starred, Signature<unknown, number[]>>>();
  const chunked = add.chunks([[1, 2]], 10);
  expectType<Equal<typeof chunked, Signature<unknown, number[][]>>>();
  // @ts-expect-error
  text.map(['1']);
  // @ts-expect-error
  add.starmap([[1]]);
});

typeTest('signatures of contracts and of names, queue.enqueue() and replaceWith() are typed', async () => {
  const charge = defineTask<(order: string, cents: number) => Promise<{ paid: boolean }>>('billing.charge');
  const signature = queue.of(charge).signature('1', 100);
  expectType<Equal<typeof signature, Signature<void, { paid: boolean }>>>();
  await chain(add.signature(1, 2), queue.of('any.name').signature()).enqueue();
  await queue.enqueue(group([]));
  const never = () => context.replaceWith(add.signature(1, 2));
  expectType<Equal<ReturnType<typeof never>, never>>();
  // @ts-expect-error an argument is missing
  context.replaceWith(add.signature(1));
});
