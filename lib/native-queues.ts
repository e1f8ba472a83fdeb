import type { Provider } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import type { Engine } from './engine/engine.js';
import { standIn } from './engine/stand-in.js';
import { injectorsIn } from './injected-producers.js';
import { ENGINE, nativeQueueToken } from './task-queue-tokens.js';

/** A provider of BullMQ's own `Queue` object, under the token that `@InjectQueue(name)` of `@nestjs/bullmq` injects. */
export function nativeQueue(name: string): Provider {
  return {
    provide: nativeQueueToken(name),
    inject: [ENGINE],
    useFactory: (engine: Engine) => engine.native(name),
  };
}

/**
 * The same for a queue that the code declares for a task. The task may belong to another application of the process, and a `Queue` of
 * BullMQ writes to the store as soon as it is created. So a queue that no class of this application injects is created at its first use.
 * A queue that `BullModule.registerQueue()` registers under the same name takes precedence: it may have another prefix or server.
 */
export function declaredQueue(name: string): Provider {
  const token = nativeQueueToken(name);
  return {
    provide: token,
    inject: [ENGINE, ModulesContainer],
    useFactory: (engine: Engine, modules: ModulesContainer) => {
      const registered = registeredIn(modules, token);
      if (registered) return standIn(() => registered.instance as object);
      const create = () => engine.native(name) as object;
      return injectorsIn(modules).has(token) ? create() : standIn(create);
    },
  };
}

/** The queue that another module provides. `instance` is set once Nest has created it. */
function registeredIn(modules: ModulesContainer, token: string): InstanceWrapper | undefined {
  const other = [...modules.values()].find(({ providers }) => providers.has(token) && !providers.has(ENGINE));
  return other?.providers.get(token);
}
