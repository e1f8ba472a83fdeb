import type { Provider } from '@nestjs/common';
import type { Engine } from '../engine/engine.js';
import { ENGINE } from '../task-queue-tokens.js';
import { AdminActs } from './admin-acts.js';
import { QueueSettingsAdmin } from './queue-settings.js';
import { TaskAdmin } from './task-admin.js';

/** The providers of what administrators use. */
export const ADMIN_PROVIDERS: Provider[] = [
  {
    provide: AdminActs,
    inject: [ENGINE],
    useFactory: (engine: Engine) => new AdminActs({ engine }),
  },
  {
    provide: TaskAdmin,
    inject: [ENGINE, AdminActs],
    useFactory: (engine: Engine, acts: AdminActs) =>
      new TaskAdmin({ engine, settings: new QueueSettingsAdmin({ engine, acts }) }),
  },
];
