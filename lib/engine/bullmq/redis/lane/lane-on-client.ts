import { bullmq } from '../../bullmq-package.cjs';
import type { NextJob } from '../../lane/taken-ahead.js';
import type { RedisClient } from '../client-options.js';
import { decodableFields } from '../decodable-hash.js';
import type { InLane } from '../patched-redis-backend.js';
import { isOutage } from '../redis-client.js';
import { LANE_COMMAND, LANE_KEYS, LANE_SCRIPT, type LaneReply } from './lane-script.js';
import { useRedisLane, type EarlyTaking, type SendScript, type UseRedisLaneDeps } from './patched-redis-lane.js';

type LaneClient = Record<typeof LANE_COMMAND, (...args: (string | number)[]) => Promise<LaneReply>>;

export interface LaneOnDeps extends Pick<UseRedisLaneDeps, 'clock' | 'worker' | 'ends' | 'runsBatches'> {
  /**
   * How the workers take a job in the packet that stores it: on the client that stores jobs. `undefined` for workers that never do.
   */
  readonly early?: { readonly client: RedisClient; readonly use: EarlyTaking['use'] } | undefined;
}

/** Makes workers of this client use the lane. */
export function laneOn(client: RedisClient, { early, ...deps }: LaneOnDeps): InLane {
  const send = defineScript(client);
  const earlyTaking = early && { send: defineScript(early.client), use: early.use };
  return (backend, patch) => useRedisLane(backend, { ...deps, isOutage, send, toJob, early: earlyTaking }, patch);
}

/** Defines the script of the lane on a client. */
function defineScript(client: RedisClient): SendScript {
  if (!(LANE_COMMAND in client))
    client.defineCommand(LANE_COMMAND, { lua: LANE_SCRIPT, numberOfKeys: LANE_KEYS.length });
  return (keys, args) => (client as unknown as LaneClient)[LANE_COMMAND](...keys, ...args);
}

function toJob(fields: string[], id: string): NextJob {
  return bullmq.raw2NextJobData([decodableFields(fields), id, 0, 0]);
}
