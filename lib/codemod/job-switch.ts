import type { CaseClause, Expression, MethodDeclaration, Node, Statement, SwitchStatement } from 'ts-morph';
import type { Remarks } from './conversion.js';
import { lineOf } from './job-uses.js';
import type { TsMorph } from './load-ts-morph.js';
import { indentAt, reindent, type Span, type TextEdits } from './text-edits.js';

/** The jobs of one `case`. */
export interface JobCase {
  readonly clause: CaseClause;
  readonly label: Expression;
  /** The labels of the cases directly before, which have no statements of their own. */
  readonly sameAs: readonly Expression[];
}

/** The `switch (job.name)` of a method. */
export interface JobSwitch {
  readonly statement: SwitchStatement;
  readonly cases: readonly JobCase[];
  /** What runs for jobs of other names; empty when that is only an error, a line of the log, or nothing. */
  readonly otherwise: string;
  /** Whether the method consists of nothing else. */
  readonly isWhole: boolean;
}

/** Finds the `switch` over the name of the job. @param job the name of the parameter */
export function findJobSwitch(
  ts: TsMorph,
  method: MethodDeclaration,
  job: string,
  remarks: Remarks,
): JobSwitch | undefined {
  const found = method.getDescendantsOfKind(ts.SyntaxKind.SwitchStatement).filter((each) => {
    const subject = each.getExpression().getText();
    return subject === `${job}.name` || isNameOf(ts, method, subject, job);
  });
  const [statement, second] = found;
  if (second) remarks.refuse(second, 'the method has a second switch over the name of the job');
  if (!statement) return undefined;
  const cases: JobCase[] = [];
  let sameAs: Expression[] = [];
  let otherwise = '';
  for (const clause of statement.getClauses()) {
    const isLast = clause === statement.getClauses().at(-1);
    if (ts.Node.isDefaultClause(clause)) {
      otherwise = isOnlyError(ts, clause.getStatements()) ? '' : clause.getText();
      continue;
    }
    if (clause.getStatements().length === 0) {
      sameAs.push(clause.getExpression());
      continue;
    }
    if (!isLast && !endsItself(ts, clause.getStatements()))
      remarks.refuse(clause, `${lineOf(clause)} goes on into the next case`);
    cases.push({ clause, label: clause.getExpression(), sameAs });
    sameAs = [];
  }
  for (const label of sameAs) remarks.refuse(label, `case ${label.getText()} shares the code of default`);
  const body = method.getBodyOrThrow();
  const isWhole = ts.Node.isBlock(body) && body.getStatements().length === 1 && statement.getParent() === body;
  return { statement, cases, otherwise, isWhole };
}

/** `const { name } = job` or `const name = job.name` */
function isNameOf(ts: TsMorph, method: MethodDeclaration, subject: string, job: string): boolean {
  return method.getDescendantsOfKind(ts.SyntaxKind.VariableDeclaration).some((declaration) => {
    const [name, value] = [declaration.getNameNode(), declaration.getInitializer()?.getText()];
    if (ts.Node.isIdentifier(name)) return name.getText() === subject && value === `${job}.name`;
    if (!ts.Node.isObjectBindingPattern(name) || value !== job) return false;
    return name
      .getElements()
      .some((one) => one.getName() === subject && (one.getPropertyNameNode()?.getText() ?? subject) === 'name');
  });
}

/** The statements of a case, without the `break` that ends them, as they stand where the `switch` was. */
export function bodyOfCase(
  ts: TsMorph,
  { clause }: JobCase,
  { statement, isWhole }: JobSwitch,
  edits: TextEdits,
  remarks: Remarks,
): string {
  const source = clause.getSourceFile().getFullText();
  const [block] = clause.getStatements();
  const isBlock = clause.getStatements().length === 1 && ts.Node.isBlock(block);
  const statements = isBlock ? block.getStatements() : clause.getStatements();
  const last = statements.at(-1);
  for (const inner of breaksOf(ts, clause)) {
    if (inner === last) continue;
    if (isLastOfMethod(ts, statement)) edits.replace({ start: inner.getStart(), end: inner.getEnd() }, 'return;');
    else remarks.refuse(inner, 'break leaves the switch early, and further statements follow the switch');
  }
  const start = isBlock ? block.getStart() + 1 : source.indexOf(':', clause.getExpression().getEnd()) + 1;
  const end = ts.Node.isBreakStatement(last) ? last.getStart() : isBlock ? block.getEnd() - 1 : clause.getEnd();
  const span: Span = { start, end };
  const text = edits
    .render(span)
    .replace(/^[ \t]*\n/, '')
    .trimEnd();
  const from = /^[ \t]*/.exec(text)?.[0] ?? '';
  const to = indentAt(source, statement.getStart());
  const moved = hasTextOfSeveralLines(ts, clause) ? text.trimStart() : reindent(text.trimStart(), from, to);
  return isBlock && !isWhole && sharesNames(ts, clause, statement)
    ? `{\n${to}  ${moved.replaceAll(`\n${to}`, `\n${to}  `)}\n${to}}`
    : moved;
}

/** Whether the block of a case declares a name that the statements around the `switch` declare too. */
function sharesNames(ts: TsMorph, clause: CaseClause, statement: SwitchStatement): boolean {
  const namesIn = (nodes: readonly Node[]) =>
    nodes.flatMap((node) => node.getText().match(/[\p{L}_$][\p{L}\p{N}_$]*/gu) ?? []);
  const method = statement.getFirstAncestorByKind(ts.SyntaxKind.MethodDeclaration);
  const declared = (node: Node) =>
    node.getDescendantsOfKind(ts.SyntaxKind.VariableDeclaration).map((each) => each.getNameNode());
  const isOutside = (node: Node) => node.getEnd() <= statement.getStart() || node.getStart() >= statement.getEnd();
  const around = new Set(namesIn(method ? declared(method).filter(isOutside) : []));
  return namesIn(declared(clause)).some((name) => around.has(name));
}

/** Where the code goes on behind the `switch`: what follows a `return` in the same block is never reached. */
export function endOfReachable(ts: TsMorph, { clause }: JobCase, { statement }: JobSwitch): number {
  const [first] = clause.getStatements();
  const last = ts.Node.isBlock(first) ? first.getStatements().at(-1) : clause.getStatements().at(-1);
  const leaves = ts.Node.isReturnStatement(last) || ts.Node.isThrowStatement(last);
  const block = statement.getParent();
  return leaves && ts.Node.isBlock(block) ? (block.getStatements().at(-1)?.getEnd() ?? 0) : statement.getEnd();
}

/** The statements `break` that end the `switch`, and no loop inside of it. */
function breaksOf(ts: TsMorph, clause: CaseClause): Statement[] {
  const { SyntaxKind } = ts;
  const inner = new Set<number>([
    ...[SyntaxKind.ForStatement, SyntaxKind.ForOfStatement, SyntaxKind.ForInStatement],
    ...[SyntaxKind.WhileStatement, SyntaxKind.DoStatement, SyntaxKind.SwitchStatement],
  ]);
  return clause
    .getDescendantsOfKind(SyntaxKind.BreakStatement)
    .filter(
      (each) =>
        each.getFirstAncestor((node) => inner.has(node.getKind()))?.getPos() ===
        clause.getParent()?.getParent()?.getPos(),
    );
}

/** Whether no statement follows, in the block around and in those around it. */
function isLastOfMethod(ts: TsMorph, statement: Statement): boolean {
  const parent = statement.getParent();
  if (ts.Node.isMethodDeclaration(parent?.getParent())) return statement.getNextSibling() === undefined;
  return false;
}

function endsItself(ts: TsMorph, statements: readonly Statement[]): boolean {
  const last = statements.at(-1);
  if (ts.Node.isBlock(last)) return endsItself(ts, last.getStatements());
  return ts.Node.isBreakStatement(last) || ts.Node.isReturnStatement(last) || ts.Node.isThrowStatement(last);
}

/** What this package does by itself for a name that no task has. */
function isOnlyError(ts: TsMorph, statements: readonly Statement[]): boolean {
  return statements.every((each) => {
    if (ts.Node.isBlock(each)) return isOnlyError(ts, each.getStatements());
    if (ts.Node.isReturnStatement(each)) return each.getExpression() === undefined || each.getText() === 'return null;';
    return (
      ts.Node.isBreakStatement(each) ||
      ts.Node.isThrowStatement(each) ||
      /^(this\.logger|console)\.\w+\(/.test(each.getText())
    );
  });
}

function hasTextOfSeveralLines(ts: TsMorph, clause: CaseClause): boolean {
  const { SyntaxKind } = ts;
  const texts = [SyntaxKind.TemplateExpression, SyntaxKind.NoSubstitutionTemplateLiteral] as const;
  return texts.some((kind) => clause.getDescendantsOfKind(kind).some((text) => text.getText().includes('\n')));
}
