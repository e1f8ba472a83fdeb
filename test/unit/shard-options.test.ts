import { describe, expect, it } from '@jest/globals';
import { ConfigurationError } from 'nestjs-task-queue';
import { resolveOptions, type TaskQueueOptions } from '../../lib/task-queue-options.js';

const media = { queues: { thumbnails: { shard: 'media' } } };
const cluster = { nodes: [{ host: 'one', port: 7000 }] };

function resolve(options: TaskQueueOptions) {
  return resolveOptions(options, {});
}

describe('the option shards', () => {
  it('gives each shard its connection and prefix', () => {
    const { shards, topology } = resolve({
      connection: 'redis://first',
      prefix: 'shop',
      shards: { media: { connection: 'postgres://second/app' } },
      ...media,
    });
    expect(shards).toMatchObject([{ name: 'media', connection: { kind: 'postgres' }, prefix: 'shop' }]);
    expect(topology.shards).toEqual(['default', 'media']);
    expect([topology.shardOf('thumbnails'), topology.shardOf('mail')]).toEqual(['media', 'default']);
  });

  it('gives a shard of a Redis Cluster a hash tag of its own', () => {
    const { shards } = resolve({ connection: cluster, prefix: 'app:{shop}', shards: { media: {} }, ...media });
    expect(shards).toMatchObject([{ connection: { options: cluster }, prefix: 'app:{shop-media}' }]);
    const own = resolve({ connection: cluster, prefix: '{shop}', shards: { media: { prefix: '{films}' } }, ...media });
    expect(own.shards).toMatchObject([{ prefix: '{films}' }]);
  });

  it('lets a queue name the default shard', () => {
    const { topology } = resolve({ connection: 'redis://first', queues: { mail: { shard: 'default' } } });
    expect(topology.shardOf('mail')).toBe('default');
  });

  it('has no shards in a test that gives no connection', () => {
    const options: TaskQueueOptions = { shards: { media: { connection: 'redis://second' } }, ...media };
    const { connection, shards, topology } = resolveOptions(options, { VITEST: '1' });
    expect([connection.kind, shards, topology.shardOf('thumbnails')]).toEqual(['memory', [], 'media']);
  });

  it.each<[what: string, options: TaskQueueOptions, message: string]>([
    [
      'a queue in a shard that does not exist',
      { shards: {}, ...media },
      `queues.thumbnails.shard is "media", and there is no such shard. The shards are: default. Add it: shards: { media: { connection: 'redis://…' } }.`,
    ],
    [
      'a shard that no queue uses',
      { shards: { media: { connection: 'redis://second' } } },
      `No queue is in the shard "media". Put one there: queues: { <queue>: { shard: 'media' } }, or remove the shard from the option shards.`,
    ],
    [
      'a shard without a connection on a single server',
      { shards: { media: {} }, ...media },
      `shards.media has no connection. Only the shards of a Redis Cluster do without one. Give its server: shards: { media: { connection: 'redis://…' } }.`,
    ],
    [
      'a shard in the place of the default one',
      { shards: { media: { connection: 'redis://u:p@first:6379/0' } }, ...media },
      'The shards default and media are the same place: Redis at first:6379/0, prefix tasks. Give one of them another server, or put the queues of both into one shard.',
    ],
    [
      'two shards in one place',
      {
        shards: { media: { connection: 'redis://second' }, films: { connection: 'redis://second:6379' } },
        queues: { thumbnails: { shard: 'media' }, films: { shard: 'films' } },
      },
      'The shards media and films are the same place',
    ],
    [
      'a shard with the name of the default one',
      { shards: { default: { connection: 'redis://second' } } },
      'shards.default is the place of all queues that name no shard',
    ],
    ['a wrong name', { shards: { 'a b': {} } }, '"a b" in the option shards is no name of a shard'],
    [
      'no options of a shard',
      { shards: { media: 'redis://second' as never }, ...media },
      'shards.media is "redis://second"',
    ],
    ['an unknown option', { shards: { media: { url: 'x' } as never }, ...media }, 'shards.media has no option url'],
    [
      'a wrong connection',
      { shards: { media: { connection: 'mysql://x' } }, ...media },
      'shards.media: connection is "mysql://x"',
    ],
    ['no shards', { shards: ['media'] as never }, 'shards is ["media"]'],
    [
      'a prefix that is no schema',
      { prefix: 'my-shop', shards: { media: { connection: 'postgres://second/app' } }, ...media },
      'shards.media.prefix is "my-shop". Use a schema name',
    ],
  ])('refuses %s', (_, options, message) => {
    const act = () => resolve({ connection: 'redis://first', ...options });
    expect(act).toThrow(ConfigurationError);
    expect(act).toThrow(message);
  });
});
