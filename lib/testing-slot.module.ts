import { Module } from '@nestjs/common';
import type { Clock } from './engine/clock.js';
import type { HeldCalls } from './engine/held-calls.js';
import type { TaskQueueOptions } from './task-queue-options.js';
import type { RegisteredTask } from './tasks/task-registry.js';

/** What the testing kit changes of an application. An application as it runs in production changes nothing. */
export interface TestingSlot {
  /** They take precedence over the options of the application. */
  readonly options?: Pick<TaskQueueOptions, 'connection' | 'role'>;
  readonly engine?: EngineHooks;
  /** Changes a task before it is registered. */
  readonly register?: (task: RegisteredTask) => RegisteredTask;
  /** Milliseconds between two stored progress reports of a task. */
  readonly progressInterval?: number;
}

/** What the memory engine tells the testing kit. */
export interface EngineHooks {
  readonly clock: Clock;
  /** Called before a call that stored tasks resolves. */
  readonly onStored: (ids: readonly string[]) => Promise<void>;
  /** Called when a caller begins to wait for a task. */
  readonly onWatched: (id: string) => void;
  /** Keeps what transactions enqueue; absent when it is stored at once. */
  readonly held?: HeldCalls;
}

/** The token that injects the {@link TestingSlot}. */
export const TESTING_SLOT = Symbol('nestjs-task-queue: testing slot');

/**
 * An empty place in `TaskQueueModule`. The testing kit overrides this module in a testing module, and so reaches what it
 * has to change without a look into private fields of Nest.
 */
@Module({ providers: [{ provide: TESTING_SLOT, useValue: {} }], exports: [TESTING_SLOT] })
export class TestingSlotModule {}
