import { Redis } from 'ioredis';
import pg from 'pg';

/**
 * Makes this process kill itself by SIGKILL right before it sends the `number`th command to Redis or PostgreSQL that is
 * counted. A number that is never reached leaves it alone.
 *
 * @param isCounted whether a command with these arguments is counted
 */
export function killBeforeCommand(number: number, isCounted: (parts: readonly string[]) => boolean): void {
  let left = number;
  const killIfDue = (parts: readonly unknown[]): void => {
    if (isCounted(parts.map(String)) && --left === 0) process.kill(process.pid, 'SIGKILL');
  };

  const redis = Redis.prototype as unknown as {
    sendCommand(command: { args: unknown[] }, ...rest: unknown[]): unknown;
  };
  const { sendCommand } = redis;
  redis.sendCommand = function (command, ...rest) {
    killIfDue(command.args.flat());
    return sendCommand.call(this, command, ...rest);
  };

  const client = pg.Client.prototype as unknown as {
    query(text: unknown, values?: unknown[], ...rest: unknown[]): unknown;
  };
  const { query } = client;
  client.query = function (text, values, ...rest) {
    const given = (text as { values?: unknown[] }).values ?? values;
    killIfDue(Array.isArray(given) ? given.flat() : []);
    return query.call(this, text, values, ...rest);
  };
}

/** Makes this process kill itself by SIGKILL right before it sends the first statement to PostgreSQL that contains these words. */
export function killBeforeText(words: string): void {
  const killer = new RegExp(`\\b${words}\\b`);
  const client = pg.Client.prototype as unknown as { query(text: unknown, ...rest: unknown[]): unknown };
  const { query } = client;
  client.query = function (text, ...rest) {
    const statement = typeof text === 'string' ? text : String((text as { text?: unknown }).text);
    if (killer.test(statement)) process.kill(process.pid, 'SIGKILL');
    return query.call(this, text, ...rest);
  };
}
