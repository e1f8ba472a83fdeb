import { expect, it } from '@jest/globals';
import { getQueueToken } from '@nestjs/bullmq';
import { nativeQueueToken } from '../../lib/task-queue-tokens.js';

it.each(['default', 'emails', 'a-b_c'])('finds the queue %s where @InjectQueue() looks', (name) => {
  expect(nativeQueueToken(name)).toBe(getQueueToken(name));
});
