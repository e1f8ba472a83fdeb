import type { ClassDeclaration, SourceFile } from 'ts-morph';
import { Remarks, type Conversion, type ConvertedTask } from './conversion.js';
import { convertListeners } from './event-methods.js';
import { correctImports } from './imports.js';
import { jobNamesOf } from './job-names.js';
import { JobUses, spanOf } from './job-uses.js';
import type { TsMorph } from './load-ts-morph.js';
import { processorsOf, type ProcessorClass } from './processor-class.js';
import { TaskMethods } from './task-methods.js';
import { indentAt, TextEdits } from './text-edits.js';

export interface ConvertOptions {
  /** The names of the jobs of a class whose `process()` has no `switch` over them. */
  readonly jobs?: readonly string[];
  /** Further files, whose producers show the names of jobs. */
  readonly others?: readonly SourceFile[];
}

/**
 * Makes classes with `@Task()` methods of the classes with `@Processor()` in a file. What it does not know stays as it is, comments
 * included. When it cannot convert something, it reports that and gives no text, because half a processor is of no use.
 */
export function convertProcessors(ts: TsMorph, file: SourceFile, options: ConvertOptions = {}): Conversion {
  const remarks = new Remarks();
  const source = file.getFullText();
  const edits = new TextEdits(source);
  const tasks: ConvertedTask[] = [];
  const used = new Set<string>();
  const processors = processorsOf(ts, file, remarks);
  for (const processor of processors) {
    const names =
      options.jobs?.map((name) => `'${name}'`) ?? jobNamesOf(ts, [file, ...(options.others ?? [])], processor.queue);
    tasks.push(...convertClass(ts, processor, names, { edits, remarks, used }));
  }
  const { todos, refusals } = remarks;
  const isDone = refusals.length === 0 && processors.length > 0;
  if (!isDone) return { text: undefined, tasks: [], todos, refusals };
  const converted = file
    .getProject()
    .createSourceFile(`${file.getFilePath()}.converted.ts`, edits.render(), { overwrite: true });
  correctImports(ts, converted, [...used]);
  const text = converted.getFullText();
  file.getProject().removeSourceFile(converted);
  return { text, tasks, todos, refusals };
}

interface Parts {
  readonly edits: TextEdits;
  readonly remarks: Remarks;
  readonly used: Set<string>;
}

function convertClass(
  ts: TsMorph,
  processor: ProcessorClass,
  jobNames: readonly string[],
  parts: Parts,
): ConvertedTask[] {
  const { edits, remarks, used } = parts;
  const { declaration, decorator, queue, workerOptions } = processor;
  const uses = new JobUses(ts, edits, remarks);
  const known = contextOf(declaration);
  const task = known ?? freeProperty(declaration);
  const todosBefore = remarks.todos.length;
  const methods = new TaskMethods(processor, { ts, edits, remarks, uses, task, jobNames });
  methods.convert();
  const { converted } = convertListeners(ts, processor, edits, remarks);
  if (workerOptions !== undefined)
    remarks.todo(
      decorator,
      `the options of the worker belong into TaskQueueModule.forRoot({ queues: { … } }): ${workerOptions.replaceAll(/\s+/g, ' ')}`,
    );
  const head = remarks.todos.slice(todosBefore).filter(({ text }) => !/is a comment now/.test(text));
  const indent = indentAt(declaration.getSourceFile().getFullText(), declaration.getStart());
  edits.replace(
    spanOf(decorator),
    [...head.map(({ text }) => `// TODO(codemod): ${text}`), `@TaskProcessor(${queue})`].join(`\n${indent}`),
  );
  removeBase(ts, declaration, edits);
  if (uses.needsTask && known === undefined) injectContext(declaration, task, edits);
  for (const name of ['Task', 'TaskProcessor', ...(uses.needsTask ? ['TaskContext'] : [])]) used.add(name);
  if (converted) for (const name of ['OnTask', 'type TaskEvent']) used.add(name);
  return methods.tasks;
}

/** Removes `extends WorkerHost`, and the call of its constructor. */
function removeBase(ts: TsMorph, declaration: ClassDeclaration, edits: TextEdits): void {
  const base = declaration.getHeritageClauseByKindOrThrow(ts.SyntaxKind.ExtendsKeyword);
  edits.replace({ start: base.getStart(), end: base.getEnd() + 1 }, '');
  for (const call of declaration.getDescendantsOfKind(ts.SyntaxKind.CallExpression)) {
    if (call.getText() !== 'super()') continue;
    const [statement, body] = [call.getParentOrThrow(), call.getParentOrThrow().getParentOrThrow()];
    if (
      ts.Node.isBlock(body) &&
      body.getStatements().length === 1 &&
      body.getText().replaceAll(/\s/g, '') === '{super();}'
    )
      edits.replace(spanOf(body), '{}');
    else edits.removeLine(spanOf(statement));
  }
}

/** The property that has the context of the task already. */
function contextOf(declaration: ClassDeclaration): string | undefined {
  const parameters = declaration.getConstructors()[0]?.getParameters() ?? [];
  return parameters.find((each) => each.getTypeNode()?.getText() === 'TaskContext')?.getName();
}

function freeProperty(declaration: ClassDeclaration): string {
  const names = new Set([
    ...declaration.getMembers().map((member) => ('getName' in member ? member.getName() : '')),
    ...(declaration.getConstructors()[0]?.getParameters() ?? []).map((parameter) => parameter.getName()),
  ]);
  return names.has('task') ? 'taskContext' : 'task';
}

/** Injects `TaskContext` as the last parameter of the constructor. */
function injectContext(declaration: ClassDeclaration, name: string, edits: TextEdits): void {
  const source = declaration.getSourceFile().getFullText();
  const parameter = `private readonly ${name}: TaskContext`;
  const [constructor] = declaration.getConstructors();
  const last = constructor?.getParameters().at(-1);
  if (last) {
    const lineBreak = source.slice(0, last.getStart()).lastIndexOf('\n');
    const isOwnLine = /^\s*$/.test(source.slice(lineBreak, last.getStart()));
    const between = isOwnLine ? `\n${indentAt(source, last.getStart())}` : ' ';
    edits.replace({ start: last.getEnd(), end: last.getEnd() }, `,${between}${parameter}`);
    return;
  }
  if (constructor) {
    const open = source.indexOf('(', constructor.getStart()) + 1;
    edits.replace({ start: open, end: open }, parameter);
    return;
  }
  const [first] = declaration.getInstanceMethods();
  const start = first?.getLeadingCommentRanges()[0]?.getPos() ?? first?.getStart() ?? declaration.getEnd() - 1;
  edits.insertFirst(start, `constructor(${parameter}) {}\n\n${indentAt(source, start)}`);
}
