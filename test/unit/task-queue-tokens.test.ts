import { expect, it } from '@jest/globals';
import { getQueueToken } from '@nestjs/bullmq';
import { nativeQueueToken } from '../../lib/task-queue-tokens.js';

it.each(['default', 'emails', 'a-b_c'])(
  'nativeQueueToken returns the token that @InjectQueue() injects for the queue %s',
  (name) => {
    expect(nativeQueueToken(name)).toBe(getQueueToken(name));
  },
);
