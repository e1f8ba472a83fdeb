/** What the engine knows of a task, for folders that stand on `results/` alone. */
export { isFinal, type TaskFailure, type TaskRecord } from '../engine/engine.js';
