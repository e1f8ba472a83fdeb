import { createHmac, scryptSync, timingSafeEqual } from 'node:crypto';

/** Milliseconds that a session lasts. */
export const SESSION = 8 * 60 * 60 * 1000;

/** In any minute, so many wrong passwords are checked. */
const ATTEMPTS = 10;
const MINUTE = 60_000;

/**
 * The sessions of administrators. A session is a token with its end and a signature, so that no process has to store it and every replica
 * can check it. The key of the signature is made from the password: another password ends all sessions.
 */
export class Sessions {
  private storedKey: Buffer | undefined;
  private wrong: number[] = [];

  /** @param password is called at the first use, because a worker has the class and no password: it serves no page */
  constructor(private readonly password: () => string) {}

  /** Whether the password is right; `undefined` when too many were wrong within the last minute. */
  check(password: string): boolean | undefined {
    const now = Date.now();
    this.wrong = this.wrong.filter((at) => at > now - MINUTE);
    if (this.wrong.length >= ATTEMPTS) return undefined;
    const isRight = timingSafeEqual(this.key, keyOf(password));
    if (!isRight) this.wrong.push(now);
    return isRight;
  }

  begin(): string {
    return this.signed(`${Date.now() + SESSION}`);
  }

  isValid(token: string): boolean {
    const [end = ''] = token.split('.', 1);
    const expected = Buffer.from(this.signed(end));
    const given = Buffer.from(token);
    return expected.length === given.length && timingSafeEqual(expected, given) && Number(end) > Date.now();
  }

  private get key(): Buffer {
    return (this.storedKey ??= keyOf(this.password()));
  }

  private signed(end: string): string {
    return `${end}.${createHmac('sha256', this.key).update(end).digest('base64url')}`;
  }
}

/** Slow on purpose: a stolen cookie does not tell the password. */
function keyOf(password: string): Buffer {
  return scryptSync(password, 'nestjs-task-queue: sample', 32);
}
