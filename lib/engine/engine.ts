/**
 * The port between tasks and the place where they wait. The words that are used everywhere in this package:
 *
 * - **task**: one stored call of a declared method, from enqueue to its final state; it has an id.
 * - **call**: what a producer wants stored (`TaskCall` in task.ts).
 * - **receipt**: the answer to a call: an id, and whether an earlier task stands for it.
 * - **record**: what the engine reports of a stored task (`TaskRecord`).
 * - **queue**: where tasks wait. **consumer**: the part of a process that takes tasks from one queue.
 * - **worker**: a process that runs tasks. **producer**: the object that enqueues one kind of task.
 * - **delivery**: a task handed to a worker for one attempt (`Delivery` in ports/worker-port.ts).
 * - **attempt**: one run of the method. Retries are the attempts after the first.
 * - **outcome**: how an attempt ended (`Outcome`). A *retry* uses up an attempt, a *postponed* task does not.
 * - **failure**: the stored form of an error (`TaskFailure`).
 * - **lock**: a worker's hold on a running task. A worker that does not renew it in time loses the task.
 * - **member**: a task that another task waits for, without running (`TaskTree`). **root**: the task whose result is
 *   that of the whole workflow. **note**: what a workflow stores with each of its tasks (`WorkflowNote`).
 * - **watcher**: a caller that waits for changes of a task. **change**: the message that a task may have changed.
 * - **tick**: a time at which a schedule is due.
 *
 * Times are milliseconds since 1970, durations are milliseconds, unless a name says otherwise.
 */
import type { BlockPort } from './ports/block-port.js';
import type { ClockPort } from './ports/clock-port.js';
import type { CommandPort } from './ports/command-port.js';
import type { DiagnosisPort } from './ports/diagnosis-port.js';
import type { ControlPort } from './ports/control-port.js';
import type { EnqueuePort } from './ports/enqueue-port.js';
import type { EventPort } from './ports/event-port.js';
import type { ForeignWorkersPort } from './ports/foreign-workers-port.js';
import type { ListPort } from './ports/list-port.js';
import type { HistoryPort } from './ports/history-port.js';
import type { PlacePort } from './ports/place-port.js';
import type { QueryPort } from './ports/query-port.js';
import type { RequestPort } from './ports/request-port.js';
import type { ScheduleStore } from './ports/schedule-store.js';
import type { ShardPort } from './ports/shard-port.js';
import type { SnapshotPort } from './ports/snapshot-port.js';
import type { StatisticsPort } from './ports/statistics-port.js';
import type { TransactionPort } from './ports/transaction-port.js';
import type { WorkerPort } from './ports/worker-port.js';
import type { WorkerRegistry } from './ports/worker-registry.js';

/**
 * A place where tasks wait. An engine implements every method of every port: nothing is optional, and the contract suite
 * (test/contract) is the same for all engines. The port is internal: applications use it through the public API.
 */
export interface Engine
  extends
    ClockPort,
    EnqueuePort,
    TransactionPort,
    QueryPort,
    CommandPort,
    HistoryPort,
    WorkerPort,
    EventPort,
    BlockPort,
    RequestPort,
    ShardPort,
    ForeignWorkersPort,
    DiagnosisPort {
  /** The store of schedules. */
  readonly schedules: ScheduleStore;
  /** What all processes have counted. */
  readonly statistics: StatisticsPort;
  /** Figures that one process has read for all. */
  readonly snapshots: SnapshotPort;
  /** The processes that run tasks. */
  readonly workers: WorkerRegistry;
  /** Pages of stored tasks. */
  readonly lists: ListPort;
  /** The settings of queues. */
  readonly control: ControlPort;
  /** Places for runs, which all processes share. */
  readonly places: PlacePort;
  /**
   * Connects and prepares the store. Resolves once the engine can be used, or when it cannot be reached for now: the
   * engine then logs one line and goes on trying.
   *
   * @throws ConfigurationError when another attempt cannot help: a wrong password, a missing driver or permission
   */
  start(): Promise<void>;
  /** The engine's own queue object (BullMQ's `Queue`), for applications that need more than this package gives. */
  native(queue: string): unknown;
  /** Closes what this engine opened. Safe to call twice, and when the server is gone. */
  close(): Promise<void>;
}
