/* eslint-disable typescript/no-explicit-any -- `any` is one of the types under test */
import {
  chain,
  defineTask,
  group,
  Task,
  type JsonInput,
  type JsonOf,
  type ProducerOf,
  type Signature,
  type TaskHandle,
  type TaskProducer,
  type TaskQueue,
  type Tasks,
} from 'nestjs-task-queue';
import type { Observable } from 'rxjs';
import { expectType, typeTest, type Equal } from '../support/type-test.js';

interface Tree {
  readonly name: string;
  readonly children: Tree[];
  readonly parent?: Tree | null;
}

interface DatedTree {
  at: Date;
  children: readonly DatedTree[];
}

interface Page<T> {
  items: T[];
  next?: Page<T>;
}

/** A type that grows with each level. */
interface Growing<T> {
  value: T;
  next?: Growing<T[]>;
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Branded = string & { readonly brand: 'id' };
enum Level {
  low,
  high,
}

class Money {
  constructor(
    readonly cents: number,
    private readonly since: string,
  ) {}

  toJSON(): { cents: number; since: Date } {
    return { cents: this.cents, since: new Date(this.since) };
  }
}

class Itself {
  value = 1;

  toJSON(): this {
    return this;
  }
}

class Filter {
  name = '';
  since?: Date;

  matches(_text: string): boolean {
    return true;
  }
}

interface Handlers {
  name: string;
  onDone?: () => void;
}

interface Jobs {
  date(at: Date): Date;
  text(at: string): string;
  dates(first?: Date | null, ...more: Date[]): void | Date;
  range(range: { from: Date; to?: Date; readonly pairs: readonly [Date, number][] }, size?: number): number;
  when(): Promise<{ at: Date; readonly all: readonly Date[]; pair?: [Date, number]; or: Date | null }>;
  tree(tree: Tree): Tree;
  datedTree(tree: DatedTree): DatedTree;
  page(page: Page<string>): Page<number>;
  datedPage(page: Page<Date>): Page<Date>;
  growing(value: Growing<number>): Growing<string>;
  datedGrowing(value: Growing<Date>): Growing<Date>;
  json(json: Json, record: Record<string, unknown>, list: readonly string[]): Json;
  scalars(id: Branded, level: Level, object: object, empty: {}, text: `a${string}`): Branded | Level | undefined;
  open(value: any, other: unknown, list: any[]): any;
  unknown(): unknown;
  never(): never;
  observed(): Observable<{ at: Date }>;
  generic<T>(value: T): T;
  money(price: Money): Money;
  itself(value: Itself): Itself;
  filter(filter: Filter): number;
  filters(filters: Filter[]): number;

  takesMap(map: Map<string, number>): void;
  takesDeepMap(value: { list: { map?: Map<string, Date> }[] }): void;
  takesSetOrText(value: ReadonlySet<string> | string): void;
  takesBigint(value: bigint): void;
  takesSymbol(value: symbol): void;
  takesFunction(value: () => void): void;
  takesHandlers(value: Handlers): void;

  givesMap(): Promise<Map<string, number>>;
  givesMapOrNull(): Map<string, number> | null;
  givesDeepSet(size: number): Promise<{ list: { set?: Set<string> }[] }>;
  givesBigint(): { count: bigint };
  givesSymbol(): symbol;
  givesFunction(): () => void;
  givesHandlers(): Handlers;
  givesObservedMap(): Observable<Map<string, number>>;
}

declare const jobs: Tasks<Jobs>;
declare const queue: TaskQueue;
declare const filter: Filter;
declare const handlers: Handlers;

/** The result type of the handle that `enqueue()` returns. */
type Result<K extends keyof Tasks<Jobs>> =
  Awaited<ReturnType<Tasks<Jobs>[K]['enqueue']>> extends TaskHandle<infer R> ? R : never;
type Arguments<K extends keyof Tasks<Jobs>> = Parameters<Tasks<Jobs>[K]['enqueue']>;

typeTest('a Date in a result is text, at any depth', async () => {
  const handle = await jobs.when.enqueue();
  interface When {
    at: string;
    readonly all: readonly string[];
    pair?: [string, number];
    or: string | null;
  }
  expectType<Equal<typeof handle, TaskHandle<When>>>();
  expectType<Equal<Result<'date'>, string>>();
  expectType<Equal<Result<'dates'>, void | string>>();
  expectType<Equal<JsonOf<{ at: Date; tags: string[] }>, { at: string; tags: string[] }>>();
});

typeTest('an object with toJSON() in a result is what that method returns', () => {
  expectType<Equal<Result<'money'>, { cents: number; since: string }>>();
  expectType<Equal<Result<'itself'>, { value: number }>>();
});

typeTest('the result of an observable is its last value', () => {
  expectType<Equal<Result<'observed'>, { at: string }>>();
});

typeTest('a type that JSON does not change is the same type in a result', () => {
  expectType<Equal<Result<'tree'>, Tree>>();
  expectType<Equal<Result<'page'>, Page<number>>>();
  expectType<Equal<Result<'growing'>, Growing<string>>>();
  expectType<Equal<Result<'json'>, Json>>();
  expectType<Equal<Result<'scalars'>, Branded | Level | undefined>>();
  expectType<Equal<Result<'open'>, any>>();
  expectType<Equal<Result<'unknown'>, unknown>>();
  expectType<Equal<Result<'never'>, never>>();
  expectType<Equal<Result<'generic'>, unknown>>();
});

typeTest('a type that JSON does not change is the same type in the arguments', () => {
  expectType<Equal<Arguments<'tree'>, [tree: Tree]>>();
  expectType<Equal<Arguments<'page'>, [page: Page<string>]>>();
  expectType<Equal<Arguments<'growing'>, [value: Growing<number>]>>();
  expectType<Equal<Arguments<'json'>, Parameters<Jobs['json']>>>();
  expectType<Equal<Arguments<'scalars'>, Parameters<Jobs['scalars']>>>();
  expectType<Equal<Arguments<'open'>, [value: any, other: unknown, list: any[]]>>();
  expectType<Equal<Arguments<'unknown'>, []>>();
  const untyped = null as unknown as TaskProducer;
  expectType<Equal<Parameters<typeof untyped.enqueue>, any[]>>();
});

typeTest('types that contain themselves are converted at each level', async () => {
  const tree = await (await jobs.datedTree.enqueue({ at: '', children: [{ at: new Date(), children: [] }] })).result();
  expectType<Equal<typeof tree.at, string>>();
  expectType<Equal<(typeof tree.children)[number]['at'], string>>();
  const page = await (await jobs.datedPage.enqueue({ items: [new Date(), ''], next: { items: [''] } })).result();
  expectType<Equal<NonNullable<NonNullable<typeof page.next>['next']>['items'], string[]>>();
  const growing = await (await jobs.datedGrowing.enqueue({ value: '', next: { value: [new Date(), ''] } })).result();
  expectType<Equal<NonNullable<typeof growing.next>['value'], string[]>>();
  // @ts-expect-error a number is no date
  await jobs.datedTree.enqueue({ at: '', children: [{ at: 1, children: [] }] });
});

typeTest('a caller may send a Date or its text for a Date', async () => {
  expectType<Equal<Arguments<'date'>, [at: Date | string]>>();
  expectType<Equal<Arguments<'dates'>, [first?: Date | string | null, ...more: (Date | string)[]]>>();
  expectType<Equal<JsonInput<{ at: Date; tags: string[] }>, { at: Date | string; tags: string[] }>>();
  await jobs.date.enqueue(new Date());
  await jobs.date.enqueue('2026-11-01');
  await jobs.date.enqueueMany([['2026-11-01'], [new Date()]]);
  jobs.date.map(['2026-11-01', new Date()]);
  jobs.date.starmap([['2026-11-01'], [new Date()]]);
  await jobs.dates.enqueue();
  await jobs.dates.enqueue(null, '', new Date());
  await jobs.range.enqueue({ from: '', to: new Date(), pairs: [['', 1]] });
  // @ts-expect-error a number is no date
  await jobs.date.enqueue(1);
  // @ts-expect-error a number is no date
  await jobs.range.enqueue({ from: 1, pairs: [] });
  // @ts-expect-error there is no second argument
  await jobs.date.enqueue('', '');
});

typeTest('a caller may send a plain object for a class', async () => {
  await jobs.filter.enqueue({ name: '', since: '' });
  // eslint-disable-next-line typescript/no-misused-spread -- the copy without methods is the point
  await jobs.filter.enqueue({ ...filter });
  await jobs.filters.enqueue([{ name: '' }, { name: '', since: new Date() }]);
  await jobs.money.enqueue(new Money(1, ''));
  await jobs.money.enqueue({ cents: 1, since: '' });
  await jobs.itself.enqueue(new Itself());
  await jobs.itself.enqueue({ value: 1 });
  // @ts-expect-error the name is missing
  await jobs.filter.enqueue({ since: '' });
  // @ts-expect-error an instance with methods is refused at run time too
  await jobs.filter.enqueue(filter);
});

typeTest('an argument that JSON cannot represent does not compile', async () => {
  await jobs.takesSetOrText.enqueue('text');
  await jobs.takesHandlers.enqueue({ name: '' });
  await jobs.takesDeepMap.enqueue({ list: [{}] });
  // @ts-expect-error a Map
  await jobs.takesMap.enqueue(new Map<string, number>());
  // @ts-expect-error a Map
  await jobs.takesMap.enqueueMany([[new Map<string, number>()]]);
  // @ts-expect-error a Map
  jobs.takesMap.signature(new Map<string, number>());
  // @ts-expect-error a Map in a property
  await jobs.takesDeepMap.enqueue({ list: [{ map: new Map() }] });
  // @ts-expect-error a Set
  await jobs.takesSetOrText.enqueue(new Set(['']));
  // @ts-expect-error a bigint
  await jobs.takesBigint.enqueue(1n);
  // @ts-expect-error a symbol
  await jobs.takesSymbol.enqueue(Symbol());
  // @ts-expect-error a function
  await jobs.takesFunction.enqueue(() => {});
  // @ts-expect-error a function in a property
  await jobs.takesHandlers.enqueue({ name: '', onDone: () => {} });
  // @ts-expect-error there may be a function in a property
  await jobs.takesHandlers.enqueue(handlers);
});

typeTest('a task whose result JSON cannot represent does not compile', async () => {
  // @ts-expect-error a Map
  await jobs.givesMap.enqueue();
  // @ts-expect-error a Map
  await jobs.givesMap.enqueueMany([[]]);
  // @ts-expect-error a Map
  jobs.givesMap.signature();
  // @ts-expect-error a Map or null
  await jobs.givesMapOrNull.enqueue();
  // @ts-expect-error a Set in a property
  await jobs.givesDeepSet.enqueue(1);
  // @ts-expect-error a bigint
  await jobs.givesBigint.enqueue();
  // @ts-expect-error a symbol
  await jobs.givesSymbol.enqueue();
  // @ts-expect-error a function
  await jobs.givesFunction.enqueue();
  // @ts-expect-error there may be a function in a property
  await jobs.givesHandlers.enqueue();
  // @ts-expect-error a Map is the last value
  await jobs.givesObservedMap.enqueue();
});

typeTest('a step that returns a Date fits a step that takes a Date, and a step that takes text', async () => {
  const { date, text } = jobs;
  const whole = chain(date.signature(new Date()), text.signature(), date.signature(), date.signature());
  expectType<Equal<typeof whole, Signature<void, string>>>();
  const members = group([date.signature(''), text.signature('')]);
  expectType<Equal<typeof members, Signature<void, [string, string]>>>();
  const partial = date.signature();
  expectType<Equal<typeof partial, Signature<Date | string, string>>>();
  await partial.enqueue(new Date());
  await partial.enqueue('2026-11-01');
  // @ts-expect-error a number is no date
  chain(jobs.range.signature({ from: '', pairs: [] }), date.signature());
});

typeTest('contracts and names have converted types too', async () => {
  const contract = defineTask<(at: Date) => Promise<{ at: Date }>>('reports.since');
  const producer: ProducerOf<typeof contract> = queue.of(contract);
  const handle = await producer.enqueue('2026-11-01');
  expectType<Equal<typeof handle, TaskHandle<{ at: string }>>>();
  const named = await queue.of<() => Date>('any.name').enqueue();
  expectType<Equal<typeof named, TaskHandle<string>>>();
});

typeTest('a generic function may pass on the arguments of any task', () => {
  const enqueueTwice = async <F extends (...args: any[]) => unknown>(task: TaskProducer<F>, ...args: Parameters<F>) => {
    await task.enqueueMany([args]);
    return task.enqueue(...args);
  };
  const ofResult = async <T>(task: TaskProducer<(value: T) => T>, value: T) => (await task.enqueue(value)).result();
  void [enqueueTwice, ofResult];
});

typeTest('a producer is assignable to a producer of the same arguments and a wider result', () => {
  const producer = null as unknown as TaskProducer<(value: string) => number>;
  const untyped: TaskProducer = producer;
  const wider: TaskProducer<(value: string) => unknown> = producer;
  // @ts-expect-error the argument is text
  const argument: TaskProducer<(value: number) => number> = producer;
  // @ts-expect-error the result is a number
  const result: TaskProducer<(value: string) => string> = producer;
  void [untyped, wider, argument, result];
});

class Decorated {
  @Task()
  async build(_since: Date): Promise<{ at: Date }> {
    return { at: new Date() };
  }
}

typeTest('the decorated method itself keeps its types', async () => {
  expectType<Equal<ReturnType<Decorated['build']>, Promise<{ at: Date }>>>();
  const handle = await queue.of(Decorated).build.enqueue('2026-11-01');
  expectType<Equal<typeof handle, TaskHandle<{ at: string }>>>();
});
