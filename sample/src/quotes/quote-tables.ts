export interface QuoteTable {
  /** Such as 2026-11-28. */
  day: string;
  text: string;
  author: string;
}

/** An address that gets a mail with each quote. */
export interface SubscriberTable {
  email: string;
  visitor: string;
}
