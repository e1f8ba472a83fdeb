import { AsyncResource } from 'node:async_hooks';
import { setImmediate } from 'node:timers';

import type { DiscoveryService, ModuleRef } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { instanceFor } from '../events/listener-scope.js';
import { providedClasses } from '../tasks/provided-classes.js';
import type { AdminAct } from './admin-act.js';
import { adminListenersOf } from './on-admin.decorator.js';
import { PackageLogger } from '../package-logger.js';
import { thrownStack, thrownText } from '../thrown-text.js';

/** Calls of listeners that have not ended. Beyond that, acts are not told. */
const MOST_UNFINISHED = 1_000;

interface FoundListener {
  readonly provider: InstanceWrapper;
  readonly method: string | symbol;
  /** `Class.method`. */
  readonly name: string;
}

export interface AdminListenersDeps {
  readonly discovery: DiscoveryService;
  readonly moduleRef: ModuleRef;
}

/** Calls the methods with `@OnAdmin()`. No act waits for them. */
export class AdminListeners {
  private readonly logger = new PackageLogger();
  /** Listeners run outside of the task or request whose code acted. */
  private readonly outside = new AsyncResource('AdminListeners');
  private unfinished = 0;

  constructor(private readonly deps: AdminListenersDeps) {}

  notify(act: AdminAct): void {
    // Acts are rare, and modules may be loaded at any time.
    for (const listener of this.find()) {
      if (this.unfinished >= MOST_UNFINISHED)
        return this.logger.error(`Listener ${listener.name} is too slow: it was not called.`);
      this.unfinished++;
      setImmediate(() => void this.outside.runInAsyncScope(() => this.call(listener, { ...act })));
    }
  }

  private find(): FoundListener[] {
    const found = new Map<InstanceWrapper, Set<string | symbol>>();
    return providedClasses(this.deps.discovery).flatMap(({ provider, type }) => {
      const known = found.get(provider) ?? new Set();
      found.set(provider, known);
      return adminListenersOf(type).flatMap((method) => {
        if (known.has(method)) return [];
        known.add(method);
        return [{ provider, method, name: `${type.name}.${String(method)}` }];
      });
    });
  }

  private async call({ provider, method, name }: FoundListener, act: AdminAct): Promise<void> {
    try {
      const instance = (await instanceFor(provider, act, this.deps.moduleRef)) as Record<
        string | symbol,
        (act: AdminAct) => unknown
      >;
      await instance[method]?.(act);
    } catch (error) {
      this.logger.error(
        `Listener ${name} failed on the act "${act.act}" of ${act.by}: ${thrownText(error)}`,
        thrownStack(error),
      );
    } finally {
      this.unfinished--;
    }
  }
}
