import type { Redis } from 'ioredis';
import { isQueueOfTasks } from '../../task-id.js';
import { isForbidden } from './answer-code.js';
import type { RedisClient } from './client-options.js';
import { nodeOf } from './redis-client.js';

/** Stands in the set of the names for the names that were in use before there was such a set. */
const EARLIER_NAMES = '*';
/** Keys of one step of the search for these names. */
const SCAN_STEP = 5_000;
/** Milliseconds that one call searches. The next call goes on. */
const SCAN_TIME = 500;
/** Milliseconds after which a process stores the name of a queue again, because the server may have lost its data. */
const REPEAT_AFTER = 60_000;

/** Where the search for earlier names goes on. */
interface ScanState {
  /** The node of a cluster that was searched. */
  readonly node: Redis | undefined;
  readonly cursor: string;
}

/** The names of the queues on a Redis server, in a set: BullMQ has no list of its queues. */
export class QueueNames {
  /** The names that this process has stored, and when. */
  private readonly storedAt = new Map<string, number>();
  private scan: ScanState = { node: undefined, cursor: '0' };
  /** Whether the server does not allow this client to look for keys. */
  private isScanRefused = false;

  constructor(
    private readonly commands: RedisClient,
    private readonly prefix: string,
  ) {}

  /**
   * Stores the name of a queue that is used, at most once in {@link REPEAT_AFTER}. The command travels with the one that uses the
   * queue. When it fails, the next use of the queue repeats it.
   */
  store(name: string): void {
    const now = performance.now();
    if (now < (this.storedAt.get(name) ?? -Infinity) + REPEAT_AFTER) return;
    this.storedAt.set(name, now);
    this.commands.sadd(this.key, name).catch(() => this.storedAt.delete(name));
  }

  async list(): Promise<string[]> {
    const names = new Set(await this.commands.smembers(this.key));
    if (!names.has(EARLIER_NAMES) && !this.isScanRefused) for (const name of await this.findEarlier()) names.add(name);
    return [...names].filter(isQueueOfTasks);
  }

  /** Searches for the names of the queues that an earlier version of this package used, and stores them. */
  private async findEarlier(): Promise<string[]> {
    const end = performance.now() + SCAN_TIME;
    const found = new Set<string>();
    let isOver = false;
    try {
      while (!isOver && performance.now() < end) isOver = await this.scanStep(found);
    } catch (error) {
      if (!isForbidden(error)) throw error;
      this.isScanRefused = true;
    }
    const names = isOver ? [...found, EARLIER_NAMES] : [...found];
    if (names.length > 0) await this.commands.sadd(this.key, ...names);
    return [...found];
  }

  /** Searches the node of a cluster that keeps the queues. @returns whether all its keys were seen */
  private async scanStep(found: Set<string>): Promise<boolean> {
    const { commands, prefix } = this;
    const node = await nodeOf(commands, this.key);
    const start = node === this.scan.node ? this.scan.cursor : '0';
    const pattern = `${prefix.replaceAll(/[\\*?[\]^]/g, String.raw`\$&`)}:*:events`;
    const [cursor, keys] = await node.scan(start, 'MATCH', pattern, 'COUNT', SCAN_STEP);
    for (const key of keys) {
      const name = key.slice(prefix.length + 1, -':events'.length);
      if (isQueueOfTasks(name)) found.add(name);
    }
    this.scan = { node, cursor };
    return cursor === '0';
  }

  private get key(): string {
    return `${this.prefix}:_queues:names`;
  }
}
