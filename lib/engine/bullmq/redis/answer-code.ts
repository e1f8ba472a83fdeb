/**
 * What Redis before version 7 puts in front of the answer to a command inside of a script:
 * `ERR Error running script (call to f_45e8): @user_script:1: @user_script: 1: -READONLY You can't write …`.
 */
const IN_SCRIPT = String.raw`(?:ERR Error running script \(call to f_\w+\): (?:@user_script: ?\d+: )+-)?`;

/** The server takes no writes, because it is not the primary any more. */
export const isReadOnly = hasCode('READONLY');

/**
 * The server does not let the user of this process run a command. Passwords and rights are changed while processes run, so another attempt
 * may succeed.
 */
export const isForbidden = hasCode('NOPERM', 'NOAUTH', 'WRONGPASS');

/** The user of this process lacks a right. */
export const lacksRight = hasCode('NOPERM');

/** The server has answered. The error is recognised by its name: the application may bring an ioredis of its own. */
export function isAnswer(error: unknown): boolean {
  return (error as { name?: string }).name === 'ReplyError';
}

/** @returns whether an error is an answer of Redis with one of the codes, with which the text begins */
function hasCode(...codes: readonly string[]): (error: unknown) => boolean {
  const expression = new RegExp(`^${IN_SCRIPT}(?:${codes.join('|')})\\b`);
  return (error) => expression.test((error as { message?: string }).message ?? '');
}
