import type { DynamicModule, Type } from '@nestjs/common';
import type { QueueOptions } from 'nestjs-task-queue';

/** One program of the sample, with a page of its own. `src/features.ts` lists all of them. */
export interface Feature {
  /** The page is at `/features/<path>`. The file `pages/<path>.html` has its content. */
  readonly path: string;
  readonly title: string;
  /** Says in one sentence what the feature shows. The start page and the page of the feature show it. */
  readonly sentence: string;
  readonly module: Type | DynamicModule;
  /** The source files that the page shows under “How it is done”, relative to the folder `sample`. No other file is ever shown. */
  readonly sources: readonly string[];
  /** The options of the queues of the feature, as in `TaskQueueModule.forRoot({ queues })`. */
  readonly queues?: Readonly<Record<string, QueueOptions>>;
}
