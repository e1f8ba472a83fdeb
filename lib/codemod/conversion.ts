/** Something about one place of a file. */
export interface Remark {
  /** The number of the line, 1 for the first. */
  readonly line: number;
  readonly text: string;
}

/** A task that the codemod has made. */
export interface ConvertedTask {
  /** The name of the jobs, as the source text of a string or of a constant. */
  readonly name: string;
  readonly method: string;
}

/** What became of one file. */
export interface Conversion {
  /** The new text; `undefined` when the file has no processor, or something in it cannot be converted. */
  readonly text: string | undefined;
  readonly tasks: readonly ConvertedTask[];
  /** What a person has to do. The same stands as a comment with TODO in the new text. */
  readonly todos: readonly Remark[];
  /** What the codemod cannot convert. The file stays as it is. */
  readonly refusals: readonly Remark[];
}

/** Collects what the codemod says about a file. */
export class Remarks {
  readonly todos: Remark[] = [];
  readonly refusals: Remark[] = [];

  todo(node: Located, text: string): void {
    this.todos.push({ line: node.getStartLineNumber(), text });
  }

  refuse(node: Located, text: string): void {
    this.refusals.push({ line: node.getStartLineNumber(), text });
  }
}

interface Located {
  getStartLineNumber(): number;
}
