export const TOPICS = ['work', 'patience', 'curiosity'] as const;
export type Topic = (typeof TOPICS)[number];

/** Quotes that stand for the web service of a real application. */
export const QUOTES: Record<Topic, readonly string[]> = {
  work: [
    '“Well begun is half done.” — Aristotle',
    '“The most damaging phrase in the language is: it’s always been done that way.” — Grace Hopper',
  ],
  patience: [
    '“Adopt the pace of nature: her secret is patience.” — Ralph Waldo Emerson',
    '“Have patience with everything unresolved in your heart.” — Rainer Maria Rilke',
  ],
  curiosity: [
    '“Nothing in life is to be feared, it is only to be understood.” — Marie Curie',
    '“The important thing is not to stop questioning.” — Albert Einstein',
  ],
};
