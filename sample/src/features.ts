import { FirstStepsModule } from './first-steps/first-steps.module.js';
import type { Feature } from './frame/feature.js';
import { OrdersModule } from './orders/orders.module.js';
import { PeopleModule } from './people/people.module.js';
import { SchedulesModule } from './schedules/schedules.module.js';
import { SlowPageModule } from './slow-page/slow-page.module.js';

/** Everything that the sample can do, in the order of the navigation. README.md says how to add a feature. */
export const FEATURES: readonly Feature[] = [
  {
    path: 'first-steps',
    title: 'First steps',
    sentence:
      'A task is a method. Add two numbers, let a hundred tasks sleep at the same time, and watch a chain and a chord.',
    module: FirstStepsModule,
    sources: ['src/first-steps/first-steps.tasks.ts', 'src/first-steps/first-steps.controller.ts'],
    queues: { naps: { concurrency: 100 } },
  },
  {
    path: 'orders',
    title: 'Orders',
    sentence: 'Many shops write to one database: each by itself, or through a queue whose worker writes batches.',
    module: OrdersModule,
    sources: [
      'src/orders/orders.tasks.ts',
      'src/orders/orders.controller.ts',
      'src/orders/order-statements.ts',
      'src/orders/order-load.ts',
    ],
  },
  {
    path: 'spreadsheets',
    title: 'Spreadsheets',
    sentence: 'Import people from a file and export a long table, with progress, cancelling, and a file as the result.',
    module: PeopleModule,
    sources: [
      'src/people/people.tasks.ts',
      'src/people/people.controller.ts',
      'src/visitors/visitor-store.ts',
      'public/people.js',
    ],
    queues: { people: { concurrency: 2 } },
  },
  {
    path: 'slow-page',
    title: 'A page with slow parts',
    sentence: 'Two slow things from one load of a page: the server answers at once, and events fill in the rest.',
    module: SlowPageModule,
    sources: ['src/slow-page/slow-page.controller.ts', 'src/slow-page/slow-page.tasks.ts', 'public/slow-page.js'],
    queues: { 'slow-page': { concurrency: 20 } },
  },
  {
    path: 'schedules',
    title: 'Schedules',
    sentence: 'Each run happens once, however many workers there are. Changes count at once, and outlive a restart.',
    module: SchedulesModule,
    sources: [
      'src/schedules/daily.tasks.ts',
      'src/schedules/schedules.controller.ts',
      'src/administrators/administrators-only.guard.ts',
    ],
  },
];
