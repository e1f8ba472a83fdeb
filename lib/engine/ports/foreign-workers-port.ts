/** A worker of BullMQ that no process of this package has started: a `@Processor()` of `@nestjs/bullmq`, for example. */
export interface ForeignWorker {
  readonly queue: string;
  /** Host and port of its connection; `undefined` when the server does not tell. */
  readonly address: string | undefined;
  /** The name that its options give it. */
  readonly name: string | undefined;
  /**
   * Another place of the same server that has a queue with this name, when the worker may belong to that place: PostgreSQL does not
   * tell in which schema a connection works.
   */
  readonly otherPlace: string | undefined;
}

/** Finding workers that this package knows nothing of. They take tasks that only a process of this package can run. */
export interface ForeignWorkersPort {
  /**
   * The foreign workers of these queues that are connected now: none when the server refuses to list its connections.
   *
   * @throws EngineUnavailableError when the engine does not answer in time
   */
  foreignWorkers(queues: readonly string[]): Promise<readonly ForeignWorker[]>;
}
