import type { Expression, MethodDeclaration, Node } from 'ts-morph';
import type { ConvertedTask, Remarks } from './conversion.js';
import { JobUses, lineOf, spanOf, type JobMapping } from './job-uses.js';
import { bodyOfCase, endOfReachable, findJobSwitch, type JobCase, type JobSwitch } from './job-switch.js';
import type { TsMorph } from './load-ts-morph.js';
import { dataTypeOf, usesOf, type JobMethod, type ProcessorClass } from './processor-class.js';
import { asComments, indentAt, type TextEdits } from './text-edits.js';

export interface TaskMethodsDeps {
  readonly ts: TsMorph;
  readonly edits: TextEdits;
  readonly remarks: Remarks;
  readonly uses: JobUses;
  /** The property that has the context of the task. */
  readonly task: string;
  /** The names of the jobs of a class whose `process()` has no `switch`, as source text. */
  readonly jobNames: readonly string[];
}

/** Makes tasks of `process(job)` and of the methods that it calls. */
export class TaskMethods {
  readonly tasks: ConvertedTask[] = [];
  private readonly names: Set<string>;
  private readonly promoted = new Map<MethodDeclaration, Expression>();

  constructor(
    private readonly processor: ProcessorClass,
    private readonly deps: TaskMethodsDeps,
  ) {
    this.names = new Set(
      processor.declaration.getMembers().map((member) => ('getName' in member ? member.getName() : '')),
    );
    this.names.delete('process');
  }

  convert(): void {
    const { ts, remarks } = this.deps;
    const { process, helpers } = this.processor;
    for (const helper of helpers) this.takeData(helper);
    if (!process.job) return this.convertWhole();
    if (!ts.Node.isIdentifier(process.job.getNameNode()))
      return remarks.refuse(process.job, `the job is taken apart in the parameter list: ${lineOf(process.job)}`);
    this.signalAndToken();
    const found = findJobSwitch(ts, process.method, process.job.getName(), remarks);
    if (found) this.convertCases(found);
    else this.convertWhole();
  }

  /** `process()` without a switch runs the jobs of every name. */
  private convertWhole(): void {
    const { edits, remarks, jobNames } = this.deps;
    const { method } = this.processor.process;
    const [name, ...others] = jobNames;
    if (name === undefined) {
      return remarks.refuse(
        method,
        'process() has no switch over job.name, so it runs jobs of any name: give their names with --jobs welcome,digest',
      );
    }
    this.takeData(this.processor.process);
    const aliases = others.length > 0 ? `, aliases: [${others.join(', ')}]` : '';
    edits.replace(before(method.getStart()), `@Task({ name: ${name}${aliases}, accepts: 'job' })\n${this.indent}`);
    this.tasks.push({ name, method: 'process' });
  }

  private convertCases(found: JobSwitch): void {
    const { edits, remarks } = this.deps;
    const { method } = this.processor.process;
    const data = this.takeData(this.processor.process);
    if (found.otherwise !== '')
      remarks.todo(
        found.statement,
        `jobs of other names ran this, and no task runs them: ${found.otherwise.replaceAll(/\s+/g, ' ')}`,
      );
    const methods = found.cases.flatMap((each) => this.methodsOf(each, found, data));
    edits.replace({ start: method.getStart(), end: method.getEnd() }, methods.join(`\n\n${this.indent}`));
    // Nothing stays of the method when other methods of the class have become the tasks.
    if (methods.length === 0) edits.removeLine({ start: method.getStart(), end: method.getEnd() });
  }

  private methodsOf(each: JobCase, found: JobSwitch, data: string): string[] {
    const { method } = this.processor.process;
    const { label, sameAs: others } = each;
    const comments = commentsBefore(each);
    const target = found.isWhole && others.length === 0 ? this.ownMethodOf(each) : undefined;
    if (target && !this.promoted.has(target)) return this.promote(target, label, comments);
    const name = this.freeName(label);
    const body = this.bodyWith(each, found);
    const type = method.getReturnTypeNode()?.getText() ?? '';
    const returns = type === '' || /^Promise<(any|unknown)>$/.test(type) ? '' : `: ${type}`;
    const parameter = this.deps.uses.needsData ? data : '';
    const made = [
      `${comments}${this.decorator(label)}\n${this.indent}async ${name}(${parameter})${returns} {\n${body}\n${this.indent}}`,
    ];
    for (const other of others) {
      const alias = this.freeName(other);
      const argument = parameter.split(':')[0] ?? '';
      made.push(
        `${this.decorator(other)}\n${this.indent}${alias}(${parameter})${returns} {\n${this.indent}  return this.${name}(${argument});\n${this.indent}}`,
      );
    }
    return made;
  }

  /** The body of `process()`, in which the statements of the case stand where the `switch` was. */
  private bodyWith(each: JobCase, found: JobSwitch): string {
    const { ts, edits, remarks } = this.deps;
    const block = this.processor.process.method.getBodyOrThrow();
    const inside = bodyOfCase(ts, each, found, edits, remarks);
    const head = edits.render({ start: block.getStart() + 1, end: found.statement.getStart() });
    const tail = edits.render({ start: endOfReachable(ts, each, found), end: block.getEnd() - 1 });
    return `${head}${inside}${tail}`.replace(/^[ \t]*\n/, '').trimEnd();
  }

  /** The method of a case whose only code is `return this.method(job)`. */
  private ownMethodOf({ clause }: JobCase): MethodDeclaration | undefined {
    const { job } = this.processor.process;
    const text = clause
      .getStatements()
      .map((statement) => statement.getText())
      .join(' ')
      .replace(/^\{\s*|\s*\}$/g, '');
    const called = /^(?:return )?(?:await )?this\.(\w+)\((\w+)\);(?:\s*(?:break|return);)?$/.exec(text);
    if (!called || called[2] !== job?.getName()) return undefined;
    const helper = this.processor.helpers.find(({ method }) => method.getName() === called[1]);
    return helper?.method.getParameters().length === 1 ? helper.method : undefined;
  }

  private promote(target: MethodDeclaration, label: Expression, comments: string): string[] {
    const { edits } = this.deps;
    this.promoted.set(target, label);
    const scope = target.getModifiers().find((each) => /^(private|protected)$/.test(each.getText()));
    const start = target.getModifiers()[0]?.getStart() ?? target.getNameNode().getStart();
    edits.replace(before(start), `${comments}${this.decorator(label)}\n${this.indent}`);
    if (scope) edits.replace({ start: scope.getStart(), end: scope.getEnd() + 1 }, '');
    this.tasks.push({ name: label.getText(), method: target.getName() });
    return [];
  }

  /** Gives a method the data of the job instead of the job. @returns the parameter */
  private takeData({ method, job }: JobMethod): string {
    if (!job) return '';
    const { ts, edits, uses, remarks, task } = this.deps;
    const data = this.nameOfData(method, job.getName());
    const takesData = (name: string) => this.processor.helpers.some((helper) => helper.method.getName() === name);
    const mapping: JobMapping = { data, task, takesData };
    uses.replaceAll(usesOf(ts, method, job), mapping);
    const parameter = `${data}: ${dataTypeOf(ts, job)}`;
    edits.replace(spanOf(job), parameter);
    for (const thrown of method.getDescendantsOfKind(ts.SyntaxKind.ThrowStatement)) {
      const fatal = /^throw new UnrecoverableError\(([^]*)\);?$/.exec(thrown.getText());
      if (!fatal) continue;
      uses.needsTask = true;
      edits.replace(spanOf(thrown), `this.${task}.fail(${fatal[1] === '' ? "'The job cannot be done.'" : fatal[1]});`);
    }
    if (
      method
        .getDescendantsOfKind(ts.SyntaxKind.Parameter)
        .some((each) => each !== job && each.getName() === job.getName())
    )
      remarks.refuse(method, `a function inside of ${method.getName()}() has a parameter ${job.getName()} too`);
    return parameter;
  }

  /** `data`, unless the method declares that name. `const { data } = job` and `const data = job.data` are not needed any more. */
  private nameOfData(method: MethodDeclaration, job: string): string {
    const { ts, edits, uses } = this.deps;
    const declared = method
      .getDescendantsOfKind(ts.SyntaxKind.VariableDeclaration)
      .filter((each) => boundNames(ts, each.getNameNode()).includes('data'));
    const [only, second] = declared;
    const same = [`{ data } = ${job}`, `data = ${job}.data`];
    if (!only) return 'data';
    if (second || !same.includes(only.getText().replaceAll(/\s+/g, ' '))) return 'jobData';
    const statement = only.getVariableStatementOrThrow();
    if (statement.getDeclarations().length > 1) return 'jobData';
    edits.removeLine(spanOf(statement));
    uses.needsData = true;
    return 'data';
  }

  /** BullMQ also hands over the token of the lock and a signal. */
  private signalAndToken(): void {
    const { ts, edits, remarks, uses, task } = this.deps;
    const { method } = this.processor.process;
    const [, token, signal] = method.getParameters();
    for (const use of token ? usesOf(ts, method, token) : []) {
      if (!/moveToDelayed/.test(use.getParent()?.getText() ?? ''))
        remarks.refuse(use, `nothing stands for ${use.getText()}, the token of the lock`);
    }
    for (const use of signal ? usesOf(ts, method, signal) : []) {
      uses.needsTask = true;
      edits.replace(spanOf(use), `this.${task}.signal`);
    }
    const list = method.getFirstChildByKind(ts.SyntaxKind.CloseParenToken);
    const [job] = method.getParameters();
    const open = method.getFirstChildByKind(ts.SyntaxKind.OpenParenToken);
    if (!token || !open || !list || !job) return;
    const data = `${this.nameOfData(method, job.getName())}: ${dataTypeOf(ts, job)}`;
    edits.replace({ start: open.getEnd(), end: list.getStart() }, data);
  }

  private decorator(label: Expression): string {
    return `@Task({ name: ${label.getText()}, accepts: 'job' })`;
  }

  /** A name for the method of a case: `send-welcome` and `JobName.SEND_WELCOME` give `sendWelcome`. */
  private freeName(label: Expression): string {
    const { ts } = this.deps;
    const text = ts.Node.isStringLiteral(label) ? label.getLiteralText() : (label.getText().split('.').at(-1) ?? '');
    const words = text.split(/[^\p{L}\p{N}]+|(?<=[\p{Ll}\p{N}])(?=\p{Lu})/u).filter((word) => word !== '');
    const camel = words
      .map((word) => word.toLowerCase())
      .map((word, index) => (index === 0 ? word : word.charAt(0).toUpperCase() + word.slice(1)))
      .join('');
    let name = /^\p{L}/u.test(camel) ? camel : `job${camel}`;
    while (this.names.has(name)) name += 'Task';
    this.names.add(name);
    this.tasks.push({ name: label.getText(), method: name });
    return name;
  }

  private get indent(): string {
    const { method } = this.processor.process;
    return indentAt(method.getSourceFile().getFullText(), method.getStart());
  }
}

function commentsBefore({ clause }: JobCase): string {
  const comments = clause.getLeadingCommentRanges().map((range) => range.getText());
  const indent = '  ';
  return comments
    .map(
      (comment) => `${comment.startsWith('//') ? asComments(comment.replace(/^\/\/ ?/, ''), '') : comment}\n${indent}`,
    )
    .join('');
}

/** The names that a declaration binds. */
function boundNames(ts: TsMorph, name: Node): string[] {
  if (ts.Node.isIdentifier(name)) return [name.getText()];
  return name.getDescendantsOfKind(ts.SyntaxKind.BindingElement).map((element) => element.getName());
}

function before(position: number): { start: number; end: number } {
  return { start: position, end: position };
}
