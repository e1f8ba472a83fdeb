/** A piece of HTML. Only `html` and `trusted` make it, so a page escapes every other text. */
export class Html {
  constructor(readonly text: string) {}
}

type Value = string | number | false | undefined | Html | readonly Html[];

/** Builds HTML from a template. Every value that is not HTML itself is escaped. */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Html {
  const text = parts.map((part, index) => part + textOf(values[index]));
  return new Html(text.join(''));
}

/** Marks a text as HTML that needs no escaping, such as a file of this sample. */
export function trusted(text: string): Html {
  return new Html(text);
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function textOf(value: Value): string {
  if (value === undefined || value === false) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'object') return value.map(({ text }) => text).join('');
  return `${value}`.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
