import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Engine } from '../engine/engine.js';

/** Milliseconds for which a token is valid. The page gets a new one before that. */
const VALID_FOR = 12 * 3_600_000;

/**
 * Tokens that prove that a request comes from a page of the dashboard, because no other site can read one. The key comes from
 * a secret in the store, so every process that shares the store accepts the tokens of all of them. A token belongs to one user.
 */
export class CsrfTokens {
  private secret: Promise<string> | undefined;

  constructor(private readonly engine: Pick<Engine, 'schedules' | 'now'>) {}

  /** @throws EngineUnavailableError */
  async create(user: string): Promise<string> {
    const until = (this.engine.now() + VALID_FOR).toString(36);
    return `${until}.${await this.sign(user, until)}`;
  }

  /** @throws EngineUnavailableError */
  async accepts(token: string | undefined, user: string): Promise<boolean> {
    const [until = '', signature = '', ...others] = token?.split('.') ?? [];
    if (others.length > 0 || !(Number.parseInt(until, 36) > this.engine.now())) return false;
    const [given, expected] = [Buffer.from(signature), Buffer.from(await this.sign(user, until))];
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  private async sign(user: string, until: string): Promise<string> {
    const key = createHmac('sha256', await this.read())
      .update('dashboard')
      .digest();
    return createHmac('sha256', key).update(`${until}\n${user}`).digest('base64url');
  }

  /** A secret that cannot be read now is read with the next request. */
  private read(): Promise<string> {
    this.secret ??= this.engine.schedules.secret().catch((error: unknown) => {
      this.secret = undefined;
      throw error;
    });
    return this.secret;
  }
}
