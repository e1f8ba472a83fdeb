import {
  createPostgresBackend,
  createRedisBackend,
  withBackend,
  type FlowProducer,
  type Queue,
  type QueueEvents,
  type QueueOptions,
  type Worker,
} from 'bullmq';
import { Module, type DynamicModule, type INestApplicationContext, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TaskQueue, TaskQueueModule, type TaskQueueOptions } from 'nestjs-task-queue';
import type { Place } from '../harness/contender.js';

export interface BullMQ {
  readonly Queue: new (name: string, options: QueueOptions) => Queue;
  readonly Worker: typeof Worker;
  readonly FlowProducer: new (options: QueueOptions) => FlowProducer;
  readonly QueueEvents: new (name: string, options: QueueOptions) => QueueEvents;
  /** The options for each of the classes. */
  readonly options: QueueOptions;
}

/** BullMQ's classes, used as its documentation recommends. */
export function bullmqAt({ store, connection, prefix }: Place): BullMQ {
  const { hostname: host, port } = new URL(connection);
  if (store === 'redis') {
    return {
      ...withBackend(createRedisBackend),
      options: { connection: { host, port: Number(port) }, prefix },
    } as unknown as BullMQ;
  }
  const options = { connection: { connectionString: connection, schema: prefix, migrate: true } };
  return { ...withBackend(createPostgresBackend), options } as unknown as BullMQ;
}

export interface App {
  readonly app: INestApplicationContext;
  readonly queue: TaskQueue;
}

/** Starts this package in an application without HTTP, used as its README recommends. */
export async function appAt(place: Place, options: TaskQueueOptions, metadata: ModuleMetadata = {}): Promise<App> {
  const app = await NestFactory.createApplicationContext(moduleAt(place, options, metadata), {
    logger: ['error', 'warn'],
  });
  return { app, queue: app.get(TaskQueue) };
}

export function moduleAt(
  { connection, prefix }: Place,
  options: TaskQueueOptions,
  metadata: ModuleMetadata = {},
): DynamicModule {
  @Module({})
  class BenchModule {}
  return {
    module: BenchModule,
    ...metadata,
    imports: [TaskQueueModule.forRoot({ connection, prefix, ...options }), ...(metadata.imports ?? [])],
  };
}
