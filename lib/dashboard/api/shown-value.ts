import type { Json } from '../../engine/json.js';
import { notAPromise } from '../../not-a-promise.js';
import { isSecretName, MASK, maskText } from '../../admin/mask-secrets.js';

/** How much of a value leaves at once. */
interface Limits {
  /** Letters of a text. */
  readonly text: number;
  /** Values of a tree. */
  readonly values: number;
  /** Levels of a tree. */
  readonly depth: number;
  /** What stands at the end of a text that was cut off. */
  readonly mark: string;
}

/** What a page gets at once; it fetches longer texts when a reader asks for them. */
const OF_PAGE: Limits = { text: 2_000, values: 2_000, depth: 60, mark: '' };
/** No stored value is so deep. */
const WHOLE: Limits = { text: Infinity, values: Infinity, depth: 1_000, mark: '' };
/** Values inside of those that the function `redact` returned. It may return ever more of them. */
const MOST_MADE = 10_000;
/** What a row of a list has. */
const OF_ROW: Limits = { text: 60, values: 24, depth: 3, mark: '…' };
/** Letters behind the end of a text that is cut off. */
const LOOK_AHEAD = 2_000;
/** The most letters of the arguments in a row. */
const LONGEST_ROW = 160;

/** A value of a task as a page gets it. Paths are those of JSON pointers: `/0/email`. */
export interface ShownValue {
  readonly value: Json;
  /** Values that are masked. */
  readonly masked: readonly string[];
  /** Values that are not complete: texts by their length, lists and objects by their number of values. */
  readonly cut: Readonly<Record<string, number>>;
  /** Whether it is what is stored: nothing is hidden, also not a part of a text, and nothing is cut off. */
  readonly isStored: boolean;
}

type Redact = (path: string, value: unknown) => unknown;

/** Where a value is. */
interface At {
  /** `undefined` in a list. */
  readonly name: string | undefined;
  readonly pointer: string;
  readonly path: string;
  readonly depth: number;
  /** Whether it is inside of a value that `redact` returned in place of another. */
  readonly isMade: boolean;
}

/** Decides what of a value leaves: masks secrets, asks the option `redact`, and cuts off what is too large. */
export class ValueView {
  private readonly masked: string[] = [];
  private readonly cut: Record<string, number> = {};
  private values = 0;
  private made = 0;

  private constructor(
    private readonly redact: Redact | undefined,
    private readonly limits: Limits,
  ) {}

  /**
   * @param what the first part of the paths that `redact` gets: `args`, `result` …
   * @param whole nothing is cut off
   */
  static of(what: string, value: Json, redact: Redact | undefined, whole = false): ShownValue {
    // The function may change the value that it gets.
    const stored = JSON.stringify(value);
    const shown = ValueView.within(whole ? WHOLE : OF_PAGE, what, value, redact);
    return { ...shown, isStored: JSON.stringify(shown.value) === stored };
  }

  /** The arguments of a task as one short line: JSON without the outer brackets. */
  static line(args: readonly Json[], redact: Redact | undefined): string {
    const { value } = ValueView.within(OF_ROW, 'args', args, redact);
    const text = JSON.stringify(value).slice(1, -1);
    return text.length > LONGEST_ROW ? `${text.slice(0, LONGEST_ROW)}…` : text;
  }

  private static within(
    limits: Limits,
    what: string,
    value: Json,
    redact: Redact | undefined,
  ): Omit<ShownValue, 'isStored'> {
    const view = new ValueView(redact, limits);
    const shown = view.show(value, { name: undefined, pointer: '', path: what, depth: 0, isMade: false });
    return { value: shown, masked: view.masked, cut: view.cut };
  }

  private show(value: Json, at: At): Json {
    if (at.name !== undefined && isSecretName(at.name, value)) return this.mask(at.pointer);
    if (at.isMade && ++this.made > MOST_MADE) return this.mask(at.pointer);
    const told = this.redacted(value, at.path);
    if (told === undefined) return this.mask(at.pointer);
    if (typeof told === 'string') return this.text(told, at.pointer);
    if (typeof told === 'number' || typeof told === 'boolean' || told === null) return told;
    // The function has put something into the value that is not JSON.
    if (typeof told !== 'object') return this.mask(at.pointer);
    const entries = Object.entries(told as Record<string, Json>);
    const shown: [string, Json][] = [];
    for (const [name, entry] of entries) {
      if (++this.values > this.limits.values || at.depth >= this.limits.depth) {
        this.cut[at.pointer] = entries.length;
        break;
      }
      shown.push([
        name,
        this.show(entry, {
          name: Array.isArray(told) ? undefined : name,
          pointer: `${at.pointer}/${pointerPart(name)}`,
          path: `${at.path}.${name}`,
          depth: at.depth + 1,
          isMade: at.isMade || told !== value,
        }),
      ]);
    }
    return Array.isArray(told) ? shown.map(([, entry]) => entry) : fromEntries(shown);
  }

  /** A function of the application that fails hides the value. */
  private redacted(value: Json, path: string): Json | undefined {
    if (!this.redact) return value;
    try {
      const told = notAPromise(this.redact(path, value), 'redact');
      return told === value ? value : toJson(told);
    } catch {
      return undefined;
    }
  }

  private text(text: string, pointer: string): string {
    const { text: longest, mark } = this.limits;
    if (text.length <= longest) return maskText(text);
    this.cut[pointer] = text.length;
    // A secret at the end of what is shown is found by what follows it.
    return maskText(text.slice(0, longest + LOOK_AHEAD)).slice(0, longest) + mark;
  }

  private mask(pointer: string): string {
    this.masked.push(pointer);
    return MASK;
  }
}

/** The value at a pointer; `undefined` when there is none. */
export function valueAt(value: Json, pointer: string): Json | undefined {
  let at: Json | undefined = value;
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as unknown as Record<string, Json>)[name];
  }
  return at;
}

function toJson(value: unknown): Json | undefined {
  const text = JSON.stringify(value) as string | undefined;
  return text === undefined ? undefined : (JSON.parse(text) as Json);
}

function pointerPart(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** An object without a prototype, so that a name such as `__proto__` is a name like any other. */
function fromEntries(entries: readonly (readonly [string, Json])[]): Json {
  const object = Object.create(null) as Record<string, Json>;
  for (const [name, value] of entries) object[name] = value;
  return object;
}
