/**
 * The rooms of the library and the imports between them. `oxlint.config.js` checks them, and a unit test holds the tables
 * of docs/architecture.md to them.
 *
 * A room may import itself, the files beside the rooms, and the rooms that stand here.
 */
export const rooms = {
  tasks: ['engine'],
  engine: [],
  results: ['engine'],
  // A handle says of a task in a transaction that it is not committed yet.
  // Its outbox keeps the record of a task as long as the declaration of the task says.
  transactions: ['tasks', 'engine', 'results'],
  // `producer.signature()` makes the values that workflows consist of.
  producers: ['tasks', 'engine', 'results', 'workflows', 'transactions'],
  workflows: ['tasks', 'engine', 'results', 'transactions'],
  // A running task may become a workflow, and wait for the result of another task.
  workers: ['tasks', 'engine', 'results', 'workflows', 'transactions'],
  // A child process runs the executor, and the parent makes outcomes of what becomes of the child.
  isolation: ['tasks', 'engine', 'results', 'workflows', 'workers'],
  schedules: ['tasks', 'engine', 'results'],
  // Its filters name tasks, its methods are called as those of tasks are, and an event has the status of its task.
  events: ['tasks', 'engine', 'results', 'workers'],
  http: ['engine', 'results'],
  // It checks what it changes as producers check what they enqueue, and calls listeners as those of events are called.
  admin: ['tasks', 'engine', 'results', 'producers', 'events', 'transactions'],
  // Everything that the command line asks for, in this process or in another.
  operator: ['admin', 'schedules', 'tasks', 'engine', 'results', 'producers'],
};

/**
 * The rooms of `lib/engine/bullmq`, likewise. Every one of them may import the files beside them (`driver.ts`,
 * `availability.ts`, …) except those that put the rooms together.
 */
export const engineRooms = {
  jobs: [],
  changes: ['jobs'],
  operations: ['jobs', 'changes'],
  consumer: ['jobs', 'changes', 'operations'],
  lane: [],
  redis: ['jobs', 'changes', 'lane'],
  postgres: ['jobs', 'lane'],
  embedded: ['postgres'],
};

/** The folders of entry points, which may import every room. No room imports them. */
export const entryPoints = ['cli', 'codemod', 'dashboard', 'health', 'metrics', 'supervisor', 'telemetry', 'testing'];
