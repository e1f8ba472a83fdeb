import type { DynamicModule } from '@nestjs/common';
import { TaskQueueModule } from 'nestjs-task-queue';

export const servers = (): DynamicModule =>
  TaskQueueModule.forRoot({
    connection: 'redis://first',
    shards: {
      media: { connection: 'redis://second' },
      billing: { connection: 'postgres://app:password@db:5432/shop' },
    },
    queues: {
      thumbnails: { shard: 'media' },
      films: { shard: 'media' },
      invoices: { shard: 'billing' },
    },
  });

export const nodes = (): DynamicModule =>
  TaskQueueModule.forRoot({
    connection: { nodes: [{ host: 'node-1', port: 6379 }] },
    prefix: '{tasks}',
    shards: { media: {}, reports: {} },
    queues: { thumbnails: { shard: 'media' }, exports: { shard: 'reports' } },
  });
