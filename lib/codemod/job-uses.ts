import type { BindingElement, Expression, Identifier, Node } from 'ts-morph';
import type { Remarks } from './conversion.js';
import type { TsMorph } from './load-ts-morph.js';
import type { TextEdits } from './text-edits.js';

/** What stands for the job of BullMQ in a method of the new class. */
export interface JobMapping {
  /** The parameter that has the data of the job. */
  readonly data: string;
  /** The property that has the context of the task. */
  readonly task: string;
  /** Whether this method of the class takes the data where it took the job. */
  readonly takesData: (method: string) => boolean;
}

/** The properties of a job, and what stands for them. `$` is the context of the task. */
const PROPERTIES: Readonly<Record<string, string>> = {
  id: '$.id',
  name: '$.name',
  queueName: '$.queue',
  attemptsMade: '($.attempt - 1)',
  attemptsStarted: '$.attempt',
  timestamp: '$.enqueuedAt.getTime()',
};
const OPTIONS: Readonly<Record<string, string>> = { attempts: '$.maxAttempts' };
const METHODS: Readonly<Record<string, string>> = { updateProgress: '$.progress', log: '$.log' };
const TASK = /\$/g;

/** Replaces the uses of a job inside of a method, or says which of them cannot be replaced. */
export class JobUses {
  /** Whether a replacement needs the context of the task. */
  needsTask = false;
  /** Whether a replacement needs the data of the job. */
  needsData = false;

  constructor(
    private readonly ts: TsMorph,
    private readonly edits: TextEdits,
    private readonly remarks: Remarks,
  ) {}

  /** @param job the uses of the parameter, without its declaration */
  replaceAll(uses: readonly Identifier[], mapping: JobMapping): void {
    for (const use of uses) this.replace(use, mapping);
  }

  private replace(use: Identifier, mapping: JobMapping): void {
    const { Node: Is } = this.ts;
    const parent = use.getParentOrThrow();
    if (Is.isPropertyAccessExpression(parent) && parent.getExpression() === use) return this.property(parent, mapping);
    if (Is.isVariableDeclaration(parent)) return this.destructuring(parent, use, mapping);
    if (Is.isCallExpression(parent) && isOwnMethod(this.ts, parent.getExpression(), mapping)) {
      this.edits.replace(spanOf(use), mapping.data);
      this.needsData = true;
      return;
    }
    this.remarks.refuse(use, `the job itself is used: ${lineOf(parent)}`);
  }

  private property(access: Expression & { getName(): string }, mapping: JobMapping): void {
    const { Node: Is } = this.ts;
    const name = access.getName();
    const parent = access.getParentOrThrow();
    const whole = Is.isNonNullExpression(parent) ? parent : access;
    if (name === 'data') {
      this.needsData = true;
      this.edits.replace(spanOf(access), mapping.data);
    } else if (PROPERTIES[name] !== undefined) {
      this.edits.replace(spanOf(whole), this.inTask(this.withoutBrackets(PROPERTIES[name], whole), mapping));
    } else if (METHODS[name] !== undefined && Is.isCallExpression(parent)) {
      this.edits.replace(spanOf(access), this.inTask(METHODS[name], mapping));
    } else if (name === 'opts' && Is.isPropertyAccessExpression(parent) && OPTIONS[parent.getName()] !== undefined) {
      this.edits.replace(spanOf(parent), this.inTask(OPTIONS[parent.getName()] as string, mapping));
    } else if (name === 'moveToDelayed' && Is.isCallExpression(parent) && this.delay(parent, mapping)) {
      return;
    } else {
      this.remarks.refuse(access, `nothing stands for ${access.getText()}`);
    }
  }

  /** `await job.moveToDelayed(Date.now() + 5_000, token)`, followed by `throw new DelayedError()` */
  private delay(call: Expression & { getArguments(): Node[] }, mapping: JobMapping): boolean {
    const { Node: Is } = this.ts;
    const [time] = call.getArguments();
    const awaited = call.getParent();
    const statement = awaited && Is.isAwaitExpression(awaited) ? awaited.getParent() : awaited;
    if (!Is.isBinaryExpression(time) || time.getLeft().getText() !== 'Date.now()') return false;
    if (!statement || !Is.isExpressionStatement(statement)) return false;
    const next = statement.getNextSibling();
    if (!next || !next.getText().startsWith('throw new DelayedError(')) return false;
    const task = this.inTask('$', mapping);
    this.edits.replace(
      { start: statement.getStart(), end: next.getEnd() },
      `${task}.retry({ in: ${time.getRight().getText()} });`,
    );
    return true;
  }

  /** `const { data, id } = job`, with patterns inside */
  private destructuring(declaration: Node, use: Identifier, mapping: JobMapping): void {
    const { Node: Is } = this.ts;
    const pattern = Is.isVariableDeclaration(declaration) ? declaration.getNameNode() : undefined;
    if (!Is.isObjectBindingPattern(pattern)) {
      this.remarks.refuse(use, `the job itself is used: ${lineOf(declaration)}`);
      return;
    }
    const fields: string[] = [];
    const elements = pattern.getElements().filter((element) => !this.isForSwitch(element));
    for (const element of elements) {
      const name = element.getPropertyNameNode()?.getText() ?? element.getName();
      if (name === 'data') {
        this.needsData = true;
        fields.push(mapping.data === 'data' ? 'data' : `data: ${mapping.data}`);
      } else if (PROPERTIES[name] !== undefined && !element.getDotDotDotToken()) {
        fields.push(`${name}: ${this.inTask(PROPERTIES[name].replace(/^\((.*)\)$/, '$1'), mapping)}`);
      } else {
        this.remarks.refuse(element, `nothing stands for job.${name}`);
      }
    }
    const [only] = elements;
    if (
      elements.length === 1 &&
      only?.getPropertyNameNode()?.getText() === 'data' &&
      Is.isIdentifier(only.getNameNode())
    ) {
      this.edits.replace(spanOf(pattern), only.getName());
      this.edits.replace(spanOf(use), mapping.data);
      return;
    }
    if (elements.length < pattern.getElements().length)
      this.edits.replace(spanOf(pattern), `{ ${elements.map((element) => element.getText()).join(', ')} }`);
    this.edits.replace(spanOf(use), `{ ${fields.join(', ')} }`);
  }

  /** Whether a variable is only there for the `switch`, which goes. */
  private isForSwitch(element: BindingElement): boolean {
    const { Node: Is, SyntaxKind } = this.ts;
    if ((element.getPropertyNameNode()?.getText() ?? element.getName()) !== 'name') return false;
    const body = element.getFirstAncestorByKind(SyntaxKind.MethodDeclaration);
    const uses = (body?.getDescendantsOfKind(SyntaxKind.Identifier) ?? []).filter(
      (each) => each.getText() === element.getName() && !Is.isBindingElement(each.getParent()),
    );
    return uses.length === 1 && Is.isSwitchStatement(uses[0]?.getParent());
  }

  /** A sum needs brackets only inside of another expression with operators. */
  private withoutBrackets(text: string, place: Node): string {
    const { Node: Is } = this.ts;
    const parent = place.getParent();
    const isInside =
      Is.isBinaryExpression(parent) || Is.isPropertyAccessExpression(parent) || Is.isPrefixUnaryExpression(parent);
    return isInside ? text : text.replace(/^\((.*)\)$/, '$1');
  }

  private inTask(text: string, { task }: JobMapping): string {
    this.needsTask = true;
    return text.replaceAll(TASK, `this.${task}`);
  }
}

/** `this.method` of a method that takes the data of the job */
function isOwnMethod(ts: TsMorph, called: Expression, { takesData }: JobMapping): boolean {
  return (
    ts.Node.isPropertyAccessExpression(called) &&
    ts.Node.isThisExpression(called.getExpression()) &&
    takesData(called.getName())
  );
}

export function spanOf(node: Node): { start: number; end: number } {
  return { start: node.getStart(), end: node.getEnd() };
}

/** The first line of a node, for a remark. */
export function lineOf(node: Node): string {
  return node.getText().split('\n')[0]?.trim() ?? '';
}
