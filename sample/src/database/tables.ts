import type { CountTable } from '../counters/count-table.js';
import type { AccountTable, PostTable } from '../posts/post-tables.js';
import type { QuoteTable, SubscriberTable } from '../quotes/quote-tables.js';
import type { ReviewTable } from '../reviews/review-table.js';

/** The tables of the sample, each beside the feature that writes it. */
export interface Tables {
  account: AccountTable;
  post: PostTable;
  count: CountTable;
  quote: QuoteTable;
  subscriber: SubscriberTable;
  review: ReviewTable;
}
