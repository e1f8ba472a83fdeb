import type { RedisQueueBackend } from 'bullmq';
import type { JobEntry } from '../jobs/job-data.js';
import type { RedisClient } from './client-options.js';
import { LANE_VERSION } from './lane/lane-script.js';

/** The name under which a client defines {@link ADD_PLAIN_JOBS}. */
const COMMAND = 'taskQueueAddPlainJobs';

/** The keys of a queue that {@link ADD_PLAIN_JOBS} gets, in this order. */
const KEYS = ['wait', 'active', 'meta', 'id', 'events', 'marker'] as const;

/**
 * Stores jobs that wait for a worker and need nothing else, as BullMQ's `addStandardJob` does it for each job by itself: the same keys and
 * the same events.
 *
 * ARGV: the prefix of the keys; for each job its id, name, data, options and time. The settings of the queue are read as BullMQ's scripts
 * read them, so that patched-scripts.ts makes this script go on too when one is no number. Where a client is not patched, the script fails
 * before it has stored a job.
 */
const ADD_PLAIN_JOBS = `
local rcall = redis.call
local waitKey, activeKey, queueMetaKey, idKey, eventsKey, markerKey = unpack(KEYS)
local prefix = ARGV[1]
local settings = rcall("HMGET", queueMetaKey, 'paused', 'concurrency', 'opts.maxLenEvents')
local keptEvents = settings[3] or 10000
if not settings[3] then rcall('HSET', queueMetaKey, 'opts.maxLenEvents', keptEvents) end
local isHeld = settings[1] or (settings[2] and rcall('LLEN', activeKey) >= tonumber(settings[2]))
rcall('INCRBY', idKey, (#ARGV - 1) / 5)
local isNews = false
for index = 2, #ARGV, 5 do
  local id, name, data, opts, timestamp = unpack(ARGV, index, index + 4)
  local key = prefix .. id
  if rcall('EXISTS', key) == 1 then
    rcall('XADD', eventsKey, '*', 'event', 'duplicated', 'jobId', id)
  else
    isNews = true
    rcall('HMSET', key, 'name', name, 'data', data, 'opts', opts, 'timestamp', timestamp, 'delay', 0, 'priority', 0)
    rcall('LPUSH', waitKey, id)
    rcall('XADD', eventsKey, '*', 'event', 'added', 'jobId', id, 'name', name)
    rcall('XADD', eventsKey, '*', 'event', 'waiting', 'jobId', id)
  end
end
if isNews and not isHeld then rcall('ZADD', markerKey, 0, '0') end
rcall('XTRIM', eventsKey, 'MAXLEN', '~', keptEvents)
`;

type AddingClient = Record<typeof COMMAND, (...args: (string | number)[]) => Promise<unknown>>;

/** Stores many jobs with one script. BullMQ runs a script for each of them. */
export class PlainJobs {
  /** The keys of each queue, and the beginning of the keys of its jobs. */
  private readonly keys = new WeakMap<RedisQueueBackend, readonly string[]>();

  constructor(private readonly client: RedisClient) {
    if (!(COMMAND in client)) client.defineCommand(COMMAND, { lua: ADD_PLAIN_JOBS, numberOfKeys: KEYS.length });
  }

  /** Whether the script can store these jobs: they only wait, and it was written for this version of BullMQ. */
  fit(backend: RedisQueueBackend, jobs: readonly JobEntry[]): boolean {
    const { version } = backend as unknown as { readonly version: string };
    return version.startsWith(`${LANE_VERSION}.`) && jobs.every(isPlain);
  }

  add(backend: RedisQueueBackend, jobs: readonly JobEntry[]): Promise<unknown> {
    const args = [...this.keysOf(backend)];
    for (const { jobId, job } of jobs)
      args.push(jobId, job.name, job.data, JSON.stringify(job.opts), String(job.timestamp));
    return (this.client as unknown as AddingClient)[COMMAND](...args);
  }

  private keysOf(backend: RedisQueueBackend): readonly string[] {
    const known = this.keys.get(backend);
    if (known) return known;
    const keys = [...KEYS, ''].map((key) => backend.toKey(key));
    this.keys.set(backend, keys);
    return keys;
  }
}

function isPlain({ job: { delay, priority, deduplicationId, parent } }: JobEntry): boolean {
  return (delay ?? priority ?? deduplicationId ?? parent) === undefined;
}
