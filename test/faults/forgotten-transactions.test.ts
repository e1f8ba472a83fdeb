import { afterEach, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task } from 'nestjs-task-queue';
import { boot } from '../support/boot.js';
import { freePrefix, startPostgres } from '../support/servers.js';
import { startProxy } from '../support/tcp-proxy.js';
import { PortableStatements, SILENCE_LIMIT } from '../../lib/engine/bullmq/postgres/portable-statements.js';

@Injectable()
class Work {
  @Task()
  note(text: string): string {
    return text;
  }
}

afterEach(() => void jest.restoreAllMocks());

/** Where transactions are serializable by default, each statement of the engine runs in a transaction of its own. */
it('a process whose connection the network forgets in the middle of a transaction holds up the others for no more than 15 seconds', async () => {
  const server = await startPostgres();
  const proxy = await startProxy(server.port);
  const prefix = freePrefix();
  const at = (port: number) => ({
    connection: {
      connectionString: Object.assign(new URL(server.url), { port: `${port}` }).href,
      options: '-c default_transaction_isolation=serializable',
    },
    ...{ prefix, role: 'producer' as const },
  });
  const [forgotten, other] = [await boot(at(proxy.port), [Work]), await boot(at(server.port), [Work])];
  const handle = await other.queue.of(Work).note.with({ delay: '1h' }).enqueue('later');

  const { send } = PortableStatements.prototype;
  let isForgotten = false;
  jest.spyOn(PortableStatements.prototype, 'send').mockImplementation(async function (
    this: PortableStatements,
    ...args: Parameters<typeof send>
  ) {
    const result = await (send.apply(this, args) as Promise<never>);
    if (isForgotten || !/UPDATE/.test(args[1])) return result;
    isForgotten = true;
    proxy.forget();
    return result;
  });
  const cancelling = forgotten.queue
    .handle(handle.id)
    .cancel()
    .catch(() => false);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(isForgotten).toBe(true);

  const start = performance.now();
  for (;;) {
    const isCancelled = await handle.cancel().catch(() => undefined);
    if (isCancelled !== undefined) break;
  }
  expect(performance.now() - start).toBeLessThan(SILENCE_LIMIT + 12_000);
  expect(await handle.status()).toMatchObject({ state: 'cancelled' });
  await cancelling;
  await Promise.all([forgotten.app.close(), other.app.close()]);
  await proxy.close();
  await server.close();
}, 120_000);
