export { TaskTesting, type OverridesModules, type ReplayedTask, type TaskTestingOptions } from './task-testing.js';
export type { TaskTestingMode } from './kit.js';
export type { DrainResult } from './drain-result.js';
export type { EnqueuedTask } from './enqueued-task.js';
export type { FakeProducers } from './fake-producers.js';
export type { OutsideRun } from './outside-run.js';
export type { TaskAttempt } from './task-attempt.js';
export type { AsymmetricMatcher, ExpectedArguments, TaskClass, TaskMethodOf } from './task-source.js';
