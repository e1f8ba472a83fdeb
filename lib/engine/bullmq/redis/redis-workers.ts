import type { Processor, RedisQueueBackend, Worker } from 'bullmq';
import { bullmq } from '../bullmq-package.cjs';
import type { Clock } from '../clock.js';
import type { DriverWorkerOptions, EndMessages } from '../driver.js';
import { IdleWorkers } from '../idle-workers.js';
import { EarlyRequest, type TakeJob } from '../patched-early-request.js';
import type { RedisClient } from './client-options.js';
import { laneOn } from './lane/lane-on-client.js';
import { inOnePacket } from './one-packet.js';
import { MarkerWait } from './patched-marker-wait.js';
import { backendFactory, withBareCopies } from './patched-redis-backend.js';
import { patchSendCommand } from './patched-send-command.js';
import { ignore } from './redis-client.js';

export interface RedisWorkersDeps {
  readonly prefix: string;
  readonly clock: Clock;
  /** The client that stores jobs. */
  readonly commands: RedisClient;
  /** Whether `commands` may take jobs too: it is no client of the application, and of one server. */
  readonly asksEarly: boolean;
  readonly openCopy: () => RedisClient;
  readonly report: (error: Error) => void;
  /** See {@link withBareCopies}. */
  readonly reportRemoved: (key: string) => void;
  /** Tells a worker of the queue that there may be a job. */
  readonly wake: (queue: string) => Promise<void>;
}

interface IdleWorker {
  readonly early: EarlyRequest;
  /** Takes a job on the client that stores jobs. */
  readonly take: TakeJob;
}

/** Makes the workers of this process. They share one connection for their commands, and each adds one on which it waits for jobs. */
export class RedisWorkers {
  private readonly idle = new IdleWorkers<IdleWorker>();
  private opened: RedisClient | undefined;

  constructor(private readonly deps: RedisWorkersDeps) {}

  /** The client that the workers share; `undefined` before the first worker. */
  get client(): RedisClient | undefined {
    return this.opened;
  }

  create(
    name: string,
    processor: Processor,
    { runsBatches, ...options }: DriverWorkerOptions,
    ends: EndMessages,
  ): Worker {
    const { clock, commands, prefix, report } = this.deps;
    this.opened ??= withBareCopies(patchSendCommand(this.deps.openCopy()), this.deps.reportRemoved);
    const { opened } = this;
    let worker: Worker | undefined;
    let early: EarlyRequest | undefined;
    const earlyTaking = {
      client: commands,
      use: (backend: RedisQueueBackend, take: TakeJob) => {
        const wait = new MarkerWait(backend, () => void this.deps.wake(name).catch(ignore));
        early = new EarlyRequest(backend, wait);
        wait.followRequests(backend);
        this.idle.add(name, backend, { early, take });
      },
    };
    const inLane = laneOn(opened, {
      ...{ clock, ends, runsBatches, worker: () => worker },
      early: this.deps.asksEarly && !runsBatches ? earlyTaking : undefined,
    });
    const classes = bullmq.withBackend(backendFactory(clock, { inLane, onForbidden: report }));
    worker = new classes.Worker(name, processor, { ...options, connection: opened, prefix });
    early?.watch(worker);
    return worker;
  }

  /** Sends a command that stores jobs of a queue, and in the same packet the request of an idle worker for a job. */
  store<T>(queue: string, send: () => T): T {
    const worker = this.idle.find(queue);
    if (!worker) return send();
    return inOnePacket(this.deps.commands, () => {
      const sent = send();
      worker.early.make(worker.take);
      return sent;
    });
  }
}
