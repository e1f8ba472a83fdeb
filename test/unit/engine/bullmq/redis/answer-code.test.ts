import { expect, it } from '@jest/globals';
import { ReplyError } from 'ioredis';
import { isAnswer, isForbidden, isReadOnly } from '../../../../../lib/engine/bullmq/redis/answer-code.js';
import { commandOptions } from '../../../../../lib/engine/bullmq/redis/client-options.js';

/** As Redis 6.2 writes the answer to a command inside of a script. */
const inScript = (answer: string) =>
  `ERR Error running script (call to f_45e87c07f6aff394093b73766a458691d0460655): @user_script:1: @user_script: 1: -${answer} `;

const READONLY = "READONLY You can't write against a read only replica.";
const NOPERM = "NOPERM this user has no permissions to run the 'xadd' command";

it.each([
  [READONLY, true],
  [`${READONLY} script: 1f2e, on @user_script:1.`, true],
  [inScript(READONLY), true],
  ['ERR user said READONLY', false],
  ['ERR Error running script (call to f_1): @user_script:1: he said READONLY', false],
])('isReadOnly: %s', (message, expected) => {
  expect(isReadOnly(new Error(message))).toBe(expected);
});

it('a client for commands leaves a server that became read-only, also when a script says so', () => {
  const { reconnectOnError } = commandOptions({});
  for (const answer of [READONLY, inScript(READONLY)]) expect(reconnectOnError?.(new Error(answer))).toBe(1);
  expect(reconnectOnError?.(new Error(NOPERM))).toBe(false);
});

it.each([
  [NOPERM, true],
  [inScript("NOPERM The user executing the script can't run this command or subcommand"), true],
  ['NOPERM ACL failure in script: User app has no permissions to run the', true],
  ['NOAUTH Authentication required.', true],
  ['WRONGPASS invalid username-password pair', true],
  ['ERR user said NOPERM', false],
])('isForbidden: %s', (message, expected) => {
  expect(isForbidden(new Error(message))).toBe(expected);
});

it('isAnswer: an error that the server has sent, and no other one', () => {
  expect(isAnswer(new ReplyError(READONLY))).toBe(true);
  expect(isAnswer(new Error(READONLY))).toBe(false);
  expect(isAnswer(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }))).toBe(false);
});
