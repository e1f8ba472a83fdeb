import { EventEmitter } from 'node:events';
import { beforeEach, expect, it, jest } from '@jest/globals';
import { patchDisconnect } from '../../../../../lib/engine/bullmq/redis/patched-disconnect.js';
import { patchSentinelConnector } from '../../../../../lib/engine/bullmq/redis/patched-sentinel-connector.js';

const PROMOTION = '+failover-state-send-slaveof-noone';
const OLD = { host: '10.0.0.1', port: 6379 };
const NEW = { host: '10.0.0.2', port: 6379 };

class FakeSentinel extends EventEmitter {
  readonly subscribe = async () => undefined;
}

/** The parts of ioredis' connector that the patch replaces or calls. */
class FakeConnector {
  connecting = true;
  stream: { destroyed: boolean } | undefined = { destroyed: false };
  failoverDetector: { sentinels: { client: FakeSentinel }[]; disconnect(): void } | undefined;
  readonly disconnect = jest.fn();
  /** The primary that each sentinel names. */
  readonly primaries = new Map<unknown, typeof OLD>();

  constructor(readonly options: { name: string; sentinels: object[] }) {
    for (const sentinel of options.sentinels) this.primaries.set(sentinel, OLD);
  }
  async initFailoverDetector(): Promise<void> {
    this.failoverDetector = { sentinels: [{ client: new FakeSentinel() }], disconnect: () => this.disconnect() };
  }
  async resolve(sentinel: object): Promise<typeof OLD | undefined> {
    return this.primaries.get(sentinel);
  }
  sentinelNatResolve(address: typeof OLD): typeof OLD {
    return address;
  }
}

const sentinels = [{ port: 1 }, { port: 2 }] as const;
let connector: FakeConnector;
beforeEach(async () => {
  const Connector = patchSentinelConnector(FakeConnector as never);
  connector = new Connector({ name: 'main', sentinels: [...sentinels] }) as unknown as FakeConnector;
  await connector.initFailoverDetector();
});

const announce = (name: string) =>
  connector.failoverDetector?.sentinels[0]?.client.emit(
    'message',
    PROMOTION,
    `slave 10.0.0.2:6379 10.0.0.2 6379 @ ${name} 10.0.0.1 6379`,
  );

it('the old primary is left when a sentinel announces a promotion, and any sentinel may name the new one', async () => {
  announce('main');
  expect(connector.disconnect).toHaveBeenCalledTimes(1);
  const resolved = connector.resolve(sentinels[0]);
  await expect(Promise.race([resolved, Promise.resolve('still waits')])).resolves.toBe('still waits');
  connector.primaries.set(sentinels[1], NEW);
  await expect(resolved).resolves.toEqual(NEW);
});

it('the promotion of a replica of another primary changes nothing', async () => {
  announce('other');
  expect(connector.disconnect).not.toHaveBeenCalled();
  await expect(connector.resolve(sentinels[0])).resolves.toEqual(OLD);
});

it('an attempt to connect goes on when a sentinel announces something meanwhile', () => {
  connector.stream = { destroyed: true };
  announce('main');
  connector.failoverDetector?.disconnect();
  expect(connector.disconnect).not.toHaveBeenCalled();
});

it('an attempt to connect that was ended asks no sentinel any more', async () => {
  announce('main');
  const resolved = connector.resolve(sentinels[0]);
  connector.connecting = false;
  await expect(resolved).resolves.toEqual(OLD);
});

it('a client that connects is not told to connect again, and can be closed', () => {
  const disconnect = jest.fn();
  const client = { status: 'connecting', disconnect };
  const patched = patchDisconnect(client as never) as unknown as { disconnect(reconnect?: boolean): void };
  patched.disconnect(true);
  expect(disconnect).not.toHaveBeenCalled();
  patched.disconnect();
  expect(disconnect).toHaveBeenCalledWith(false);
  client.status = 'ready';
  patched.disconnect(true);
  expect(disconnect).toHaveBeenLastCalledWith(true);
});
