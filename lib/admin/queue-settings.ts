import { parseDuration, type Duration } from '../duration.js';
import type { Engine } from '../engine/engine.js';
import type { RateLimit } from '../engine/ports/control-port.js';
import { isQueueName } from '../engine/task-id.js';
import { ConfigurationError, InvalidArgumentsError } from '../errors.js';
import type { ActOptions } from './act-options.js';
import type { AdminActs } from './admin-acts.js';

/** The largest number of a limit: PostgreSQL stores it as a 32-bit number. */
const LARGEST = 2 ** 31 - 1;

export interface QueueSettingsDeps {
  readonly engine: Pick<Engine, 'control'>;
  readonly acts: AdminActs;
}

/** Changes the stored settings of queues. */
export class QueueSettingsAdmin {
  constructor(private readonly deps: QueueSettingsDeps) {}

  async pause(queue: string, options: ActOptions): Promise<void> {
    const { acts, engine } = this.deps;
    await acts.perform({ act: 'pause', queue }, options, (reason) => engine.control.pause(checkQueue(queue), reason));
  }

  async resume(queue: string, options: ActOptions): Promise<void> {
    const { acts, engine } = this.deps;
    await acts.perform({ act: 'resume', queue }, options, () => engine.control.resume(checkQueue(queue)));
  }

  async setGlobalConcurrency(queue: string, value: number | null, options: ActOptions): Promise<void> {
    const { acts, engine } = this.deps;
    await acts.perform({ act: 'setGlobalConcurrency', queue, value }, options, (reason) => {
      const checked = value === null ? null : checkNumber('concurrency', value, 'tasks at once');
      return engine.control.setGlobalConcurrency(checkQueue(queue), checked, reason);
    });
  }

  async setRateLimit(
    queue: string,
    limit: { readonly max: number; readonly per: Duration } | null,
    options: ActOptions,
  ): Promise<void> {
    const { acts, engine } = this.deps;
    await acts.perform({ act: 'setRateLimit', queue, value: limit }, options, (reason) =>
      engine.control.setRateLimit(checkQueue(queue), limit === null ? null : checkLimit(limit), reason),
    );
  }
}

/** @throws InvalidArgumentsError */
export function checkQueue(queue: unknown): string {
  if (typeof queue === 'string' && isQueueName(queue)) return queue;
  throw new InvalidArgumentsError(
    `queue is ${JSON.stringify(queue)}, which is no queue name: 1 to 63 letters, digits, "_" or "-", beginning with a letter or digit.`,
  );
}

function checkLimit(limit: { readonly max: number; readonly per: Duration }): RateLimit {
  if (typeof limit !== 'object') {
    throw new InvalidArgumentsError(
      `limit is ${String(limit)}. Give { max: 10, per: '1s' }, or null for the limit that the code declares.`,
    );
  }
  const per = checkDuration('limit.per', limit.per);
  return { max: checkNumber('limit.max', limit.max, 'tasks'), per };
}

function checkDuration(name: string, value: Duration): number {
  try {
    const milliseconds = parseDuration(value, name);
    if (Number.isSafeInteger(milliseconds) && milliseconds >= 1) return milliseconds;
  } catch (error) {
    if (error instanceof ConfigurationError) throw new InvalidArgumentsError(error.message);
    throw error;
  }
  throw new InvalidArgumentsError(
    `${name} is ${JSON.stringify(value)}. Give a whole number of milliseconds, at least 1, or a text such as '10s'.`,
  );
}

function checkNumber(name: string, value: number, unit: string): number {
  if (Number.isInteger(value) && value >= 1 && value <= LARGEST) return value;
  const found = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  throw new InvalidArgumentsError(`${name} is ${found}. Give a whole number of ${unit} from 1 to ${LARGEST}.`);
}
