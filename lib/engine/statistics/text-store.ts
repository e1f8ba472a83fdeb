import type { TextPage } from '../ports/schedule-store.js';

/** Texts under keys, shared by all processes. A text is written as a whole. */
export interface TextStore {
  get(keys: readonly string[]): Promise<(string | undefined)[]>;
  set(texts: Readonly<Record<string, string>>): Promise<void>;
  delete(keys: readonly string[]): Promise<void>;
  scan(cursor: string | undefined): Promise<TextPage>;
}

/** All texts of a store. */
export async function allTexts(store: TextStore): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  let cursor: string | undefined;
  do {
    const page = await store.scan(cursor);
    for (const [key, text] of page.texts) texts.set(key, text);
    cursor = page.next;
  } while (cursor !== undefined);
  return texts;
}

/** Texts in memory. */
export class MemoryTexts implements TextStore {
  constructor(private readonly open: () => Map<string, string>) {}

  async get(keys: readonly string[]): Promise<(string | undefined)[]> {
    const texts = this.open();
    return keys.map((key) => texts.get(key));
  }

  async set(changed: Readonly<Record<string, string>>): Promise<void> {
    const texts = this.open();
    for (const [key, text] of Object.entries(changed)) texts.set(key, text);
  }

  async delete(keys: readonly string[]): Promise<void> {
    const texts = this.open();
    for (const key of keys) texts.delete(key);
  }

  async scan(): Promise<TextPage> {
    return { texts: new Map(this.open()), next: undefined };
  }
}
