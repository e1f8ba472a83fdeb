import { CountersModule } from './counters/counters.module.js';
import { FirstStepsModule } from './first-steps/first-steps.module.js';
import type { Feature } from './frame/feature.js';
import { OrdersModule } from './orders/orders.module.js';
import { PeopleModule } from './people/people.module.js';
import { PostsModule } from './posts/posts.module.js';
import { QuotesModule } from './quotes/quotes.module.js';
import { ReviewsModule } from './reviews/reviews.module.js';
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
    path: 'posts',
    title: 'Posts',
    sentence:
      'A post is saved and enqueued in one transaction, and published through a network that is slow, fails now and then, and allows few calls.',
    module: PostsModule,
    sources: [
      'src/posts/post.tasks.ts',
      'src/posts/posts.ts',
      'src/posts/posts.controller.ts',
      'src/posts/network.ts',
      'test/posts.test.ts',
      'src/outside/social-network.ts',
    ],
  },
  {
    path: 'reviews',
    title: 'Reviews',
    sentence:
      'The form is answered as soon as the review is saved. The mail follows: it is tried again, and arrives once.',
    module: ReviewsModule,
    sources: [
      'src/reviews/review.tasks.ts',
      'src/reviews/reviews.ts',
      'src/reviews/reviews.controller.ts',
      'src/mails/mailer.ts',
      'test/reviews.test.ts',
      'src/outside/mail-server.ts',
    ],
  },
  {
    path: 'quotes',
    title: 'Quote of the day',
    sentence:
      'A schedule fetches a quote every morning and mails it. A soft limit ends what takes too long, a hard limit what never ends.',
    module: QuotesModule,
    sources: [
      'src/quotes/quote.tasks.ts',
      'src/quotes/quote-mails.tasks.ts',
      'src/quotes/quotes.controller.ts',
      'test/quotes.test.ts',
    ],
  },
  {
    path: 'counters',
    title: 'Counters',
    sentence:
      'Administrators decide what is counted and when, while everything runs. Each run happens once, however many workers there are.',
    module: CountersModule,
    sources: [
      'src/counters/counter.tasks.ts',
      'src/counters/counters.controller.ts',
      'src/administrators/administrators-only.guard.ts',
      'test/counters.test.ts',
    ],
  },
];
