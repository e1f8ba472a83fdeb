/** A part of a text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

interface Edit extends Span {
  readonly text: string;
}

/** Replacements in a text, which keep all that they do not replace: comments, blank lines, quotes. */
export class TextEdits {
  private readonly edits: Edit[] = [];

  constructor(private readonly source: string) {}

  /** Replaces a part. An edit inside of a part that another edit replaces is dropped. */
  replace(span: Span, text: string): void {
    this.edits.push({ start: span.start, end: span.end, text });
  }

  /** Inserts text in front of whatever else is inserted at a position. */
  insertFirst(position: number, text: string): void {
    this.edits.unshift({ start: position, end: position, text });
  }

  /** Removes a part, and its line when nothing else is on it. */
  removeLine({ start, end }: Span): void {
    const lineStart = this.source.lastIndexOf('\n', start - 1) + 1;
    const lineEnd = this.source.indexOf('\n', end);
    const isAlone = /^\s*$/.test(this.source.slice(lineStart, start)) && /^\s*$/.test(this.source.slice(end, lineEnd));
    this.replace(isAlone && lineEnd !== -1 ? { start: lineStart, end: lineEnd + 1 } : { start, end }, '');
  }

  /** A part of the text with its replacements. */
  render({ start, end }: Span = { start: 0, end: this.source.length }): string {
    const inside = this.edits
      .filter((edit) => edit.start >= start && edit.end <= end)
      .toSorted((one, other) => one.start - other.start || rank(one) - rank(other));
    let [text, at] = ['', start];
    for (const edit of inside) {
      if (edit.start < at) continue;
      text += this.source.slice(at, edit.start) + edit.text;
      at = edit.end;
    }
    return text + this.source.slice(at, end);
  }
}

/** What is inserted comes first, then the longest part that is replaced. */
function rank({ start, end }: Span): number {
  return start === end ? -Number.MAX_SAFE_INTEGER : -end;
}

/** The indentation of the line on which a position is. */
export function indentAt(source: string, position: number): string {
  const lineStart = source.lastIndexOf('\n', position - 1) + 1;
  return /^[ \t]*/.exec(source.slice(lineStart, position))?.[0] ?? '';
}

/** Moves lines from one indentation to another. The first line has none. Lines that are indented less stay. */
export function reindent(text: string, from: string, to: string): string {
  return text
    .split('\n')
    .map((line, index) => (index > 0 && line.startsWith(from) ? to + line.slice(from.length) : line))
    .join('\n');
}

/** Text as comments of one line each. */
export function asComments(text: string, indent: string): string {
  return text
    .split('\n')
    .map(
      (line) =>
        `${indent}//${line.trim() === '' ? '' : ` ${line.startsWith(indent) ? line.slice(indent.length) : line.trim()}`}`,
    )
    .join('\n');
}
