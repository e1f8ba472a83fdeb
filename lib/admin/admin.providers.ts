import type { Provider } from '@nestjs/common';
import type { Engine } from '../engine/engine.js';
import { ENGINE } from '../task-queue-tokens.js';
import { TaskAdmin } from './task-admin.js';

/** The providers of what administrators use. */
export const ADMIN_PROVIDERS: Provider[] = [
  {
    provide: TaskAdmin,
    inject: [ENGINE],
    useFactory: (engine: Engine) => new TaskAdmin({ engine }),
  },
];
