import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import type { Clock } from './clock.js';
import type { MessageBus, PreparedMessage } from './message-bus.js';
import type { RareWarnings } from './rare-warnings.js';

/** Milliseconds after which a message is too old to be true, by the clock of the store. */
const MESSAGE_LIFE = 60_000;

const CIPHER = 'aes-256-gcm';
const NONCE = 12;
const TAG = 16;
/** Characters of the time in front of a message, with the colon behind it. */
const TIME = 14;

export interface SealedBusDeps {
  /** A secret that only clients of the store can read. It is read once. */
  readonly secret: () => Promise<string>;
  readonly clock: Pick<Clock, 'now'>;
  readonly warnings: RareWarnings;
}

/** What this process makes of the secret. */
interface Keys {
  readonly message: Buffer;
  readonly name: Buffer;
}

/**
 * A message bus that clients without rights on the store can neither read nor use, on top of one that they can: on
 * PostgreSQL every role that may connect can listen and notify.
 *
 * - Messages are encrypted and authenticated (AES-256-GCM) with a key that is made from a secret in the store, together
 *   with the name of the channel and the time of sending.
 * - A message counts once, and for {@link MESSAGE_LIFE}. So a client that has recorded a message cannot play it again.
 * - The names of the channels are made from the secret, too. Processes of version 0.1.0 use other names, and neither
 *   version hears the other: both find changes by their polls.
 */
export class SealedBus implements MessageBus {
  readonly isPublic = false;
  readonly publishEnd = undefined;
  readonly largestMessage: number;
  private keys: Promise<Keys> | undefined;
  private knownKeys: Keys | undefined;
  /** The nonces of the messages that arrived since {@link agedAt}, and in the period before. */
  private recentNonces = new Set<string>();
  private earlierNonces = new Set<string>();
  private agedAt = -Infinity;

  constructor(
    private readonly bus: MessageBus,
    private readonly deps: SealedBusDeps,
  ) {
    // Four characters of base64 stand for three bytes.
    this.largestMessage = Math.floor((bus.largestMessage * 3) / 4) - NONCE - TAG - TIME;
  }

  async publish(channel: string, message: string): Promise<void> {
    const keys = await this.readKeys();
    await this.bus.publish(nameOf(keys, channel), this.seal(keys, channel, message));
  }

  prepare(channel: string, message: string): PreparedMessage | undefined {
    const keys = this.knownKeys;
    return keys && this.bus.prepare?.(nameOf(keys, channel), this.seal(keys, channel, message));
  }

  async subscribe(channel: string, listener: (message: string) => void): Promise<() => Promise<void>> {
    const keys = await this.readKeys();
    return this.bus.subscribe(nameOf(keys, channel), (text) => {
      const message = this.open(keys, channel, text);
      if (message !== undefined) listener(message);
    });
  }

  get isDeaf(): boolean {
    return this.bus.isDeaf === true;
  }

  private readKeys(): Promise<Keys> {
    this.keys ??= this.deps.secret().then(
      (secret) => (this.knownKeys = keysOf(secret)),
      (error: unknown) => {
        this.keys = undefined;
        throw error;
      },
    );
    return this.keys;
  }

  private seal({ message: key }: Keys, channel: string, message: string): string {
    const nonce = randomBytes(NONCE);
    const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(channel));
    const content = [cipher.update(`${this.deps.clock.now()}:${message}`, 'utf8'), cipher.final()];
    return Buffer.concat([nonce, cipher.getAuthTag(), ...content]).toString('base64');
  }

  /** @returns `undefined` for a text that no process of this application has just sent on this channel */
  private open({ message: key }: Keys, channel: string, text: string): string | undefined {
    const content = decrypt(key, channel, text);
    if (content === undefined) return this.drop(channel, 'it has no valid proof that a client of the store sent it');
    const end = content.indexOf(':');
    const now = this.deps.clock.now();
    if (Math.abs(now - Number(content.slice(0, end))) > MESSAGE_LIFE) {
      return this.drop(channel, 'it is older than a minute, or the clock of a process is wrong');
    }
    // The nonce as it was decrypted: other texts may decode to the same bytes.
    if (!this.isNew(Buffer.from(text, 'base64').toString('base64', 0, NONCE), now)) {
      return this.drop(channel, 'it was sent a second time');
    }
    return content.slice(end + 1);
  }

  private isNew(nonce: string, now: number): boolean {
    if (this.recentNonces.has(nonce) || this.earlierNonces.has(nonce)) return false;
    // A message is accepted for its life before and behind the present, so each period has twice that length.
    if (now - this.agedAt > 2 * MESSAGE_LIFE) {
      this.earlierNonces = this.recentNonces;
      this.recentNonces = new Set();
      this.agedAt = now;
    }
    this.recentNonces.add(nonce);
    return true;
  }

  private drop(channel: string, fault: string): undefined {
    this.deps.warnings.warn(`A message on the channel "${channel}" was dropped: ${fault}.`);
  }
}

function keysOf(secret: string): Keys {
  const derive = (use: string) => Buffer.from(hkdfSync('sha256', secret, '', `nestjs-task-queue ${use}`, 32));
  return { message: derive('messages'), name: derive('channels') };
}

/** 132 bits, as characters that fit into the name of a channel. */
function nameOf({ name }: Keys, channel: string): string {
  return createHmac('sha256', name).update(channel).digest('base64url').slice(0, 22);
}

function decrypt(key: Buffer, channel: string, text: string): string | undefined {
  const sealed = Buffer.from(text, 'base64');
  if (sealed.length < NONCE + TAG) return undefined;
  try {
    const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, NONCE), { authTagLength: TAG })
      .setAAD(Buffer.from(channel))
      .setAuthTag(sealed.subarray(NONCE, NONCE + TAG));
    return Buffer.concat([decipher.update(sealed.subarray(NONCE + TAG)), decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}
