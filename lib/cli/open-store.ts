import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { withoutPassword, type ConnectionOption } from '../engine/connection.js';
import type { Engine } from '../engine/engine.js';
import { ConfigurationError } from '../errors.js';
import { ENGINE } from '../task-queue-tokens.js';
import { describePlace } from '../engine/describe-connection.js';
import type { Operator } from '../operator/operations.js';
import { OPERATOR } from '../operator/operator.providers.js';
import { remoteOperator } from '../operator/remote-operator.js';
import { TaskQueueModule } from '../task-queue.module.js';
import { resolveOptions, type ResolvedOptions, type TaskQueueOptions } from '../task-queue-options.js';
import { checkTables } from './check-tables.js';
import { namedShards, placesOf, queuesOfShards } from './store-shards.js';
import { noteOfUnknown, noteOfUnseen, unseenShards } from './unseen-shards.js';
import { CommandError, EXIT, wrongUsage } from './exit-code.js';

/** Which store the command means. */
export interface StoreFlags {
  readonly url?: string;
  readonly prefix?: string;
  readonly shard?: readonly string[];
}

/** A store that a command uses. */
export interface OpenStore {
  readonly operator: Operator;
  /** Where the store is, without its password. */
  readonly place: string;
  /** What the command cannot show; `undefined` when it shows everything. */
  readonly note?: string | undefined;
  close(): Promise<void>;
}

/** What `forRoot()` uses when neither the option nor the variable is set. */
const DEFAULT_URL = 'pglite:.task-queue';

/** The options of the command's own application, which enqueues and asks, but runs nothing. */
export function storeOptions(flags: StoreFlags, env: NodeJS.ProcessEnv): TaskQueueOptions {
  const connection = flags.url ?? (env['TASK_QUEUE_URL']?.trim() || DEFAULT_URL);
  return {
    connection: aroundPooler(connection, flags.url === undefined),
    prefix: flags.prefix ?? (env['TASK_QUEUE_PREFIX']?.trim() || 'tasks'),
    role: 'producer',
    consume: '*',
    http: false,
  };
}

/** `TASK_QUEUE_DIRECT_URL` belongs to `TASK_QUEUE_URL`, not to another database that `--url` names. */
function aroundPooler(url: string, isFromEnvironment: boolean): ConnectionOption {
  if (isFromEnvironment || !/^postgres(ql)?:\/\//i.test(url)) return url;
  return { connectionString: url, directUrl: url };
}

/** The checked options. @throws CommandError for a URL or prefix that is not valid */
export function checkedOptions(flags: StoreFlags, env: NodeJS.ProcessEnv): ResolvedOptions {
  try {
    return resolveOptions(storeOptions(flags, env), env);
  } catch (error) {
    throw wrongUsage((error as Error).message);
  }
}

/**
 * Opens the store that `--url`, `--prefix` or the environment names.
 *
 * @throws CommandError when the store is not there, cannot be reached, or is one that other processes cannot use
 */
export async function openStore(flags: StoreFlags, env: NodeJS.ProcessEnv): Promise<OpenStore> {
  const { connection, prefix } = checkedOptions(flags, env);
  const place = describePlace(connection, prefix);
  if (connection.kind === 'memory' || (connection.kind === 'embedded' && connection.folder === undefined)) {
    throw wrongUsage(
      `${withoutPassword(flags.url ?? env['TASK_QUEUE_URL'] ?? '')} is in the memory of one process, where no command can reach it. ` +
        'Give a server or a folder with --url or TASK_QUEUE_URL: redis://..., postgres://... or pglite:<folder>.',
    );
  }
  if (connection.kind === 'postgres') await checkTables(connection, prefix);
  if (connection.kind === 'embedded') {
    const owner = await ownerOf(resolve(connection.folder as string));
    // It answers for its shards too.
    if (owner) return { operator: owner, place, close: async () => undefined };
  }
  return openHere(await withShards(storeOptions(flags, env), flags, env), place);
}

/** The options of a store with its shards. */
interface ShardedStore {
  readonly options: TaskQueueOptions;
  /** What is not shown of the shards that the command names. */
  readonly note?: string | undefined;
}

/** Adds the shards that the command names, with the queues that are in them. */
async function withShards(
  options: TaskQueueOptions,
  { shard }: StoreFlags,
  env: NodeJS.ProcessEnv,
): Promise<ShardedStore> {
  const shards = namedShards(shard, env);
  if (Object.keys(shards).length === 0) return { options };
  for (const { name, connection, prefix } of placesOf(options, shard, env))
    if (name !== undefined && connection.kind === 'postgres') await checkTables(connection, prefix, name);
  try {
    const { queues, away } = await queuesOfShards(options, shards, env);
    const used = new Set(Object.values(queues).map((queue) => queue.shard));
    const shown = Object.fromEntries(Object.entries(shards).filter(([name]) => used.has(name)));
    const unknown = Object.keys(shards).filter((name) => !used.has(name));
    return { options: { ...options, queues, shards: shown }, note: noteOfUnknown(unknown, away) };
  } catch (error) {
    if (error instanceof ConfigurationError) throw wrongUsage(error.message);
    throw error;
  }
}

/** The process that has opened a folder, because one process alone can; `undefined` when none has. */
async function ownerOf(folder: string): Promise<Operator | undefined> {
  if (!existsSync(folder)) {
    throw wrongUsage(
      `There is no folder ${folder}. Give the store of the application with --url or TASK_QUEUE_URL: ` +
        'redis://..., postgres://... or pglite:<folder>.',
    );
  }
  const { hasOwner, askOwner } = await import('../engine/bullmq/embedded/lock/ask-owner.js');
  if (!(await hasOwner(folder))) return undefined;
  return remoteOperator((request) => askOwner(folder, request));
}

/** Opens a store in this process, in an application without a line of log. */
async function openHere({ options, note: unknown }: ShardedStore, place: string): Promise<OpenStore> {
  @Module({ imports: [TaskQueueModule.forRoot(options)] })
  class CommandLine {}
  try {
    const app = await NestFactory.createApplicationContext(CommandLine, { logger: false, abortOnError: false });
    const operator = app.get<Operator>(OPERATOR, { strict: false });
    const unseen = noteOfUnseen(await unseenShards(app.get<Engine>(ENGINE, { strict: false })));
    const notes = [unknown, unseen].filter((note) => note !== undefined);
    return { operator, place, ...(notes.length > 0 && { note: notes.join('\n') }), close: () => app.close() };
  } catch (error) {
    throw new CommandError((error as Error).message, EXIT.unreachable);
  }
}
