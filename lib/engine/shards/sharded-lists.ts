import { InvalidArgumentsError } from '../../errors.js';
import {
  isOrderedByTime,
  type ListEntry,
  type ListPort,
  type ListPosition,
  type ListRequest,
  type QueueFigures,
  type StoredCall,
} from '../ports/list-port.js';
import { queueOfTask } from '../task-id.js';
import type { ShardReach } from './shard-reach.js';

/** Merges the lists of all shards. A shard that cannot be reached is left out; `missingShards()` then names it. */
export class ShardedLists implements ListPort {
  constructor(private readonly reach: ShardReach) {}

  /** Without the names of queues that were in another shard once: what is left of them there belongs to no queue. */
  async queueNames(): Promise<string[]> {
    const { shardOf } = this.reach.topology;
    const names = await this.reach.askAll((engine) => engine.lists.queueNames());
    return Array.from(names)
      .flatMap(([shard, ofShard]) => ofShard.filter((name) => shardOf(name) === shard))
      .toSorted();
  }

  async list(request: ListRequest): Promise<ListEntry[]> {
    const groups = this.reach.group(request.queues, (queue) => queue);
    const [only] = groups.keys();
    if (groups.size <= 1) {
      const entries = await this.reach.of(request.queues[0] ?? '').lists.list(request);
      return only === undefined ? entries : this.toStore(only, entries);
    }
    return isOrderedByTime(request.list) ? this.listByTime(request, groups) : this.listByQueue(request, groups);
  }

  async figures(queues: readonly string[]): Promise<(QueueFigures | undefined)[]> {
    return this.ofQueues(queues, async (shard, names) => {
      const times = this.reach.timesOf(shard);
      const figures = (await this.reach.engines.get(shard)?.lists.figures(names)) ?? [];
      return figures.map((each) => each && { ...each, queuedSince: times.toStore(each.queuedSince) });
    });
  }

  async countQueued(queue: string, most: number): Promise<number> {
    return this.reach.of(queue).lists.countQueued(queue, most);
  }

  async details(id: string): Promise<StoredCall | undefined> {
    const queue = queueOfTask(id) ?? '';
    const found = await this.reach.of(queue).lists.details(id);
    const times = this.reach.timesOf(this.reach.topology.shardOf(queue));
    return found && { ...found, record: times.recordToStore(found.record) };
  }

  private toStore(shard: string, entries: readonly ListEntry[]): ListEntry[] {
    const times = this.reach.timesOf(shard);
    if (times.ahead === 0) return [...entries];
    return entries.map((entry) => ({
      ...entry,
      record: entry.record && times.recordToStore(entry.record),
      time: entry.time === 0 ? 0 : times.toStore(entry.time),
    }));
  }

  /** Asks each shard for its own queues. @returns the answers in the order of the queues; `undefined` of a shard that is missing */
  async ofQueues<T>(
    queues: readonly string[],
    ask: (shard: string, queues: readonly string[]) => Promise<(T | undefined)[]> | undefined,
  ): Promise<(T | undefined)[]> {
    const groups = this.reach.group(queues, (queue) => queue);
    const answers = await this.reach.ask(groups.keys(), async (_, shard) => ask(shard, groups.get(shard) ?? []));
    const byQueue = new Map<string, T | undefined>();
    for (const [shard, names] of groups)
      for (const [index, name] of names.entries()) byQueue.set(name, answers.get(shard)?.[index]);
    return queues.map((queue) => byQueue.get(queue));
  }

  /** A position has the place in each shard, so a page goes on where it ended, whatever the other shards hold by then. */
  private async listByTime(
    { list, after, count }: ListRequest,
    groups: ReadonlyMap<string, readonly string[]>,
  ): Promise<ListEntry[]> {
    const places = readPlaces(after);
    const lists = await this.reach.ask(groups.keys(), (engine, shard) =>
      engine.lists.list({ list, queues: groups.get(shard) ?? [], after: places.get(shard), count }),
    );
    const direction = list === 'delayed' ? 1 : -1;
    return Array.from(lists)
      .flatMap(([shard, entries]) => this.toStore(shard, entries).map((entry) => ({ shard, entry })))
      .toSorted((one, other) => direction * (one.entry.time - other.entry.time))
      .slice(0, count)
      .map(({ shard, entry }) => {
        places.set(shard, entry.position);
        return { ...entry, position: writePlaces(places) };
      });
  }

  /** The queues follow each other by name, and a position begins with the name of its queue. */
  private async listByQueue(
    { list, after, count }: ListRequest,
    groups: ReadonlyMap<string, readonly string[]>,
  ): Promise<ListEntry[]> {
    const [first = ''] = after ?? [];
    const lists = await this.reach.ask(groups.keys(), async (engine, shard) => {
      const queues = (groups.get(shard) ?? []).filter((queue) => queue >= first);
      if (queues.length === 0) return [];
      return engine.lists.list({ list, queues, after: queues[0] === first ? after : undefined, count });
    });
    return Array.from(lists, ([shard, entries]) => this.toStore(shard, entries))
      .flat()
      .toSorted((one, other) => compare(one.position[0] ?? '', other.position[0] ?? ''))
      .slice(0, count);
  }
}

function compare(one: string, other: string): number {
  return one === other ? 0 : one < other ? -1 : 1;
}

function writePlaces(places: ReadonlyMap<string, ListPosition>): ListPosition {
  return Array.from(places).flatMap(([shard, position]) => [shard, JSON.stringify(position)]);
}

/** @throws InvalidArgumentsError: any caller may have made the texts up */
function readPlaces(position: ListPosition = []): Map<string, ListPosition> {
  const places = new Map<string, ListPosition>();
  for (let index = 0; index < position.length; index += 2) {
    const place = parse(position[index + 1]);
    if (!Array.isArray(place) || !place.every((text) => typeof text === 'string')) {
      throw new InvalidArgumentsError(
        'cursor is none of this list: it comes from another engine. Leave it out to start with the first page.',
      );
    }
    places.set(position[index] as string, place);
  }
  return places;
}

function parse(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
