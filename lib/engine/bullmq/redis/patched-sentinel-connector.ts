import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisOptions, SentinelConnector } from 'ioredis';

/** A sentinel announces on this channel that it is about to promote a replica. */
const PROMOTION = '+failover-state-send-slaveof-noone';
/** Milliseconds after which the old primary is used again, because the sentinels have not named another. */
const LIMIT = 5_000;
/** Milliseconds between two questions to the sentinels. */
const INTERVAL = 50;

interface Address {
  readonly host: string;
  readonly port: number;
}

interface FailoverDetector {
  readonly sentinels: readonly { readonly client: Sentinel }[];
  /** Called when a sentinel reports a new primary. */
  disconnect(): void;
}

interface Sentinel {
  subscribe(channel: string): Promise<unknown>;
  on(event: 'message', listener: (channel: string, text: string) => void): unknown;
}

/** The parts of ioredis' connector that are replaced or called here. They are not public. */
interface ConnectorParts {
  /** Whether an attempt to connect is under way. `disconnect` ends it. */
  readonly connecting: boolean;
  readonly options: RedisOptions;
  readonly stream?: { readonly destroyed: boolean };
  readonly failoverDetector: FailoverDetector | null;
  initFailoverDetector(): Promise<void>;
  resolve(sentinel: object): Promise<Address | null>;
  sentinelNatResolve(address: Address): Address;
  disconnect(): void;
}

/**
 * ioredis' connector for sentinels, which leaves a primary before its replica is promoted. By itself, it leaves when the
 * sentinels report the new primary, about a second after the promotion. The old primary takes writes until then, and they
 * are lost. Here, a planned failover loses none: calls wait until the sentinels report the new primary.
 * `patchDisconnect` belongs to it.
 */
export function patchSentinelConnector(Connector: typeof SentinelConnector): NonNullable<RedisOptions['Connector']> {
  const Base = Connector as unknown as new (options: RedisOptions) => ConnectorParts;
  class EarlyConnector extends Base {
    private left: { readonly address: Address; readonly until: number } | undefined;

    override async initFailoverDetector(): Promise<void> {
      await super.initFailoverDetector();
      const detector = this.failoverDetector;
      if (!detector) return;
      detector.disconnect = () => this.reconnect();
      for (const { client } of detector.sentinels) {
        client.on('message', (channel, text) => channel === PROMOTION && this.leave(text));
        client.subscribe(PROMOTION).catch(() => undefined);
      }
    }

    /** Asks all sentinels: the one that promotes the replica knows the new primary first. */
    override async resolve(sentinel: object): Promise<Address | null> {
      let address = await super.resolve(sentinel);
      while (address && this.connecting && this.hasLeft(address)) {
        await sleep(INTERVAL, undefined, { ref: false });
        for (const asked of [sentinel, ...(this.options.sentinels ?? [])]) {
          const answer = await super.resolve(asked).catch(() => null);
          if (answer && !this.hasLeft(answer)) address = answer;
        }
      }
      return address;
    }

    /** @param text `slave <its address> @ <name> <host> <port>` */
    private leave(text: string): void {
      const [, name, host = '', port] = /@ (\S+) (\S+) (\d+)$/.exec(text) ?? [];
      if (name !== this.options.name) return;
      this.left = { address: this.sentinelNatResolve({ host, port: Number(port) }), until: performance.now() + LIMIT };
      this.reconnect();
    }

    /**
     * Ends the connection, so that ioredis makes another. While ioredis asks the sentinels anyway, this method does
     * nothing: by itself, ioredis would give up for good, because `disconnect` ends its attempt with an error.
     */
    private reconnect(): void {
      if (this.stream && !this.stream.destroyed) this.disconnect();
    }

    private hasLeft({ host, port }: Address): boolean {
      if (!this.left || performance.now() > this.left.until) return false;
      return host === this.left.address.host && port === this.left.address.port;
    }
  }
  return EarlyConnector as unknown as NonNullable<RedisOptions['Connector']>;
}
