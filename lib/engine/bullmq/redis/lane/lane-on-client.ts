import { bullmq } from '../../bullmq-package.cjs';
import type { NextJob } from '../../lane/taken-ahead.js';
import type { RedisClient } from '../client-options.js';
import { decodableFields } from '../decodable-hash.js';
import type { InLane } from '../patched-redis-backend.js';
import { isOutage } from '../redis-client.js';
import { LANE_COMMAND, LANE_KEYS, LANE_SCRIPT, type LaneReply } from './lane-script.js';
import { useRedisLane, type UseRedisLaneDeps } from './patched-redis-lane.js';

type LaneClient = Record<typeof LANE_COMMAND, (...args: (string | number)[]) => Promise<LaneReply>>;

/** Defines the script of the lane on a client, and makes workers of this client use it. */
export function laneOn(
  client: RedisClient,
  deps: Pick<UseRedisLaneDeps, 'clock' | 'worker' | 'ends' | 'runsBatches'>,
): InLane {
  if (!(LANE_COMMAND in client))
    client.defineCommand(LANE_COMMAND, { lua: LANE_SCRIPT, numberOfKeys: LANE_KEYS.length });
  const send = (keys: readonly string[], args: readonly (string | number)[]) =>
    (client as unknown as LaneClient)[LANE_COMMAND](...keys, ...args);
  return (backend, patch) => useRedisLane(backend, { ...deps, isOutage, send, toJob }, patch);
}

function toJob(fields: string[], id: string): NextJob {
  return bullmq.raw2NextJobData([decodableFields(fields), id, 0, 0]);
}
