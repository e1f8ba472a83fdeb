import { EngineUnavailableError } from '../../errors.js';
import type { Engine } from '../engine.js';
import { ShardTimes } from './shard-times.js';
import { DEFAULT_SHARD, type Topology } from './topology.js';

/** Milliseconds that an answer of all shards waits for one that did not answer the last time. It may answer again by now. */
const PATIENCE = 500;

/** The engine of each shard, and which of them answer. */
export class ShardReach {
  /** The shards that did not answer the last time. */
  private readonly missing = new Set<string>();
  private readonly times: ReadonlyMap<string, ShardTimes>;

  constructor(
    readonly engines: ReadonlyMap<string, Engine>,
    readonly topology: Topology,
  ) {
    const storeNow = () => this.default.now();
    this.times = new Map(
      Array.from(engines, ([name, engine]) => [name, new ShardTimes(storeNow, () => engine.now())] as const),
    );
  }

  get default(): Engine {
    return this.engines.get(DEFAULT_SHARD) as Engine;
  }

  missingShards(): string[] {
    return [...this.engines.keys()].filter((shard) => this.missing.has(shard));
  }

  /** The engine of a queue. */
  of(queue: string): Engine {
    return this.engines.get(this.topology.shardOf(queue)) ?? this.default;
  }

  /** The times of a shard, in the clock of the store. */
  timesOf(shard: string): ShardTimes {
    return this.times.get(shard) ?? (this.times.get(DEFAULT_SHARD) as ShardTimes);
  }

  /** Items by the shard of their queue, in their order. */
  group<T>(items: readonly T[], queueOf: (item: T) => string): Map<string, T[]> {
    const groups = new Map<string, T[]>();
    for (const item of items) {
      const shard = this.topology.shardOf(queueOf(item));
      const group = groups.get(shard);
      if (group) group.push(item);
      else groups.set(shard, [item]);
    }
    return groups;
  }

  /**
   * Asks several shards at once, and leaves out those that cannot be reached. One that did not answer the last time gets less
   * time, so that an outage makes only the first answer slow.
   *
   * @param patience milliseconds that the other shards have after the first answer, where one answer has all that matters; default: as
   * long as they take
   * @returns the answers by shard
   * @throws the first error, when no shard answers; any error that does not mean an outage
   */
  async ask<T>(
    shards: Iterable<string>,
    call: (engine: Engine, shard: string) => Promise<T>,
    patience = Infinity,
  ): Promise<Map<string, T>> {
    const names = [...shards];
    const isAlone = names.length === 1 || names.every((name) => this.missing.has(name));
    const asked = names.map((name) => ({
      name,
      hasTime: isAlone || !this.missing.has(name),
      answer: this.track(name, call),
    }));
    const first = Promise.any(asked.map(({ answer }) => answer));
    first.catch(() => undefined);
    const answers = await Promise.allSettled(
      asked.map(({ name, hasTime, answer }) => {
        if (!hasTime) return within(answer, PATIENCE, name);
        return patience === Infinity
          ? answer
          : Promise.race([answer, first.then(() => within(answer, patience, name))]);
      }),
    );
    const found = new Map<string, T>();
    let outage: unknown;
    for (const [index, answer] of answers.entries()) {
      if (answer.status === 'fulfilled') found.set(names[index] as string, answer.value);
      else if (answer.reason instanceof EngineUnavailableError) outage ??= answer.reason;
      else throw answer.reason;
    }
    if (found.size === 0 && outage !== undefined) throw outage;
    return found;
  }

  /** Asks all shards. See {@link ask}. */
  askAll<T>(call: (engine: Engine, shard: string) => Promise<T>, patience?: number): Promise<Map<string, T>> {
    return this.ask(this.engines.keys(), call, patience);
  }

  /** Asks one shard after the other until one answers, those first that answered the last time. */
  async first<T>(call: (engine: Engine) => Promise<T>): Promise<T> {
    const names = [...this.engines.keys()];
    const isMissing = (name: string) => this.missing.has(name);
    let outage: unknown;
    for (const name of [...names.filter((each) => !isMissing(each)), ...names.filter(isMissing)]) {
      try {
        return await this.track(name, call);
      } catch (error) {
        if (!(error instanceof EngineUnavailableError)) throw error;
        outage ??= error;
      }
    }
    throw outage;
  }

  /** Calls one shard, and remembers whether it answered. */
  async track<T>(shard: string, call: (engine: Engine, shard: string) => Promise<T>): Promise<T> {
    try {
      const answer = await call(this.engines.get(shard) as Engine, shard);
      this.missing.delete(shard);
      return answer;
    } catch (error) {
      if (error instanceof EngineUnavailableError) this.missing.add(shard);
      throw error;
    }
  }
}

/** @throws EngineUnavailableError when there is no answer in time */
async function within<T>(answer: Promise<T>, limit: number, shard: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new EngineUnavailableError(`The shard ${shard} cannot be reached: it did not answer in ${limit} ms.`);
    timer = setTimeout(() => reject(error), limit);
  });
  answer.catch(() => undefined);
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
