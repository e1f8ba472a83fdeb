/**
 * The book of a queue's places: which process has which place, and which process waits for one. It is stored as one text that a process
 * replaces only if no other has replaced it meanwhile. So all rules about places are here, and every engine has the same.
 */
export interface PlaceBook {
  /** The tokens that have a place, with the time until which their process has to confirm it. */
  readonly taken: ReadonlyMap<string, number>;
  /** The tokens that wait for a place, in their order, with the time until which their process has to ask again. */
  readonly waiting: ReadonlyMap<string, number>;
}

/** What one process has and wants. Tokens of the process that are in neither list give their places back. */
export interface PlaceRequest {
  /** The beginning of all tokens of the process. */
  readonly owner: string;
  /** The tokens whose runs go on. They keep their places also when there are more of them than places. */
  readonly held: Iterable<string>;
  /** The tokens that ask for a place, in their order. */
  readonly wanted: Iterable<string>;
  /** How many places there are. */
  readonly limit: number;
  /** The time of the store's clock. */
  readonly now: number;
  /** Milliseconds for which a process has a place that it does not confirm. */
  readonly lease: number;
  /** Milliseconds for which a process may leave its request, or a place that it was given meanwhile, unattended. */
  readonly patience: number;
}

/** Milliseconds. A process confirms its places more often, so a later time is none that this package has stored. */
export const LONGEST = 3_600_000;
/** The most tokens that are read from a stored text. */
const MOST_TOKENS = 100_000;

export const EMPTY_BOOK: PlaceBook = { taken: new Map(), waiting: new Map() };

/** The token of a process. */
export function tokenOf(owner: string, number: number): string {
  return `${owner}:${number}`;
}

export function ownerOf(token: string): string {
  return token.slice(0, token.lastIndexOf(':'));
}

/** The book after a request of one process. The same request again changes nothing but times. */
export function settle({ taken, waiting }: PlaceBook, request: PlaceRequest): PlaceBook {
  const { owner, limit, now, lease, patience } = request;
  const [held, wanted] = [new Set(request.held), new Set(request.wanted)];
  const isOwn = (token: string) => ownerOf(token) === owner;
  const inUse = new Map<string, number>();
  for (const [token, until] of taken) {
    if (isOwn(token)) {
      if (held.has(token) || wanted.has(token)) inUse.set(token, now + lease);
    } else if (until > now) inUse.set(token, Math.min(until, now + LONGEST));
  }
  // A run whose place another process has got meanwhile goes on, so it counts.
  for (const token of held) inUse.set(token, now + lease);
  const queue = new Map<string, number>();
  for (const [token, until] of waiting) {
    if (inUse.has(token)) continue;
    if (isOwn(token)) {
      if (wanted.has(token)) queue.set(token, now + patience);
    } else if (until > now) queue.set(token, Math.min(until, now + LONGEST));
  }
  for (const token of wanted) if (!inUse.has(token)) queue.set(token, now + patience);
  for (const token of queue.keys()) {
    if (inUse.size >= limit) break;
    queue.delete(token);
    inUse.set(token, now + (isOwn(token) ? lease : patience));
  }
  return { taken: inUse, waiting: queue };
}

/** The text of a book; an empty text for an empty book. */
export function writeBook({ taken, waiting }: PlaceBook): string {
  if (taken.size === 0 && waiting.size === 0) return '';
  return JSON.stringify({ taken: [...taken], waiting: [...waiting] });
}

/** Reads a text that any client of the store may have written. What is no part of a book is left out. */
export function readBook(text: string | undefined): PlaceBook {
  if (!text) return EMPTY_BOOK;
  try {
    const { taken, waiting } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    return { taken: entriesOf(taken), waiting: entriesOf(waiting) };
  } catch {
    return EMPTY_BOOK;
  }
}

function entriesOf(list: unknown): Map<string, number> {
  if (!Array.isArray(list) || list.length > MOST_TOKENS) return new Map();
  return new Map(list.filter(isEntry));
}

function isEntry(entry: unknown): entry is [token: string, until: number] {
  if (!Array.isArray(entry)) return false;
  const [token, until] = entry as unknown[];
  return typeof token === 'string' && typeof until === 'number' && Number.isFinite(until);
}
