import type {
  ClassDeclaration,
  Decorator,
  Identifier,
  MethodDeclaration,
  ParameterDeclaration,
  SourceFile,
} from 'ts-morph';
import type { Remarks } from './conversion.js';
import { lineOf } from './job-uses.js';
import type { TsMorph } from './load-ts-morph.js';

/** A method of a processor with the parameter that has the job. */
export interface JobMethod {
  readonly method: MethodDeclaration;
  readonly job: ParameterDeclaration | undefined;
}

/** What stands in a class with `@Processor()`. */
export interface ProcessorClass {
  readonly declaration: ClassDeclaration;
  readonly decorator: Decorator;
  /** The queue as source text: a string or a constant. */
  readonly queue: string;
  /** What else `@Processor()` was given: options of BullMQ's worker. */
  readonly workerOptions: string | undefined;
  readonly process: JobMethod;
  /** Other methods that take a job. */
  readonly helpers: readonly JobMethod[];
  /** Methods with `@OnWorkerEvent()`. */
  readonly listeners: readonly { readonly method: MethodDeclaration; readonly decorator: Decorator }[];
}

/** The classes with `@Processor()` in a file. */
export function processorsOf(ts: TsMorph, file: SourceFile, remarks: Remarks): ProcessorClass[] {
  return file.getClasses().flatMap((declaration) => {
    const decorator = declaration.getDecorator('Processor');
    if (!decorator) return [];
    const found = readProcessor(ts, declaration, decorator, remarks);
    return found ? [found] : [];
  });
}

function readProcessor(
  ts: TsMorph,
  declaration: ClassDeclaration,
  decorator: Decorator,
  remarks: Remarks,
): ProcessorClass | undefined {
  const base = declaration.getExtends();
  if (base?.getText() !== 'WorkerHost')
    return refuse(remarks, base ?? declaration, `the class extends ${base?.getText() ?? 'nothing'} and not WorkerHost`);
  const process = declaration.getInstanceMethod('process');
  if (!process) return refuse(remarks, declaration, 'the class has no method process(job)');
  const queue = queueOf(ts, decorator, remarks);
  if (!queue) return undefined;
  for (const use of declaration.getDescendantsOfKind(ts.SyntaxKind.PropertyAccessExpression)) {
    if (use.getText() === 'this.worker') remarks.refuse(use, 'this.worker, the worker of BullMQ, is used');
  }
  const methods = declaration.getInstanceMethods();
  const listeners = methods.flatMap((method) => {
    const event = method.getDecorator('OnWorkerEvent');
    return event ? [{ method, decorator: event }] : [];
  });
  const helpers = methods.flatMap((method) => {
    const job = method.getParameters().find(isJob);
    return job && method !== process && !method.getDecorator('OnWorkerEvent') ? [{ method, job }] : [];
  });
  const job = process.getParameters()[0];
  return { declaration, decorator, ...queue, process: { method: process, job }, helpers, listeners };
}

function queueOf(
  ts: TsMorph,
  decorator: Decorator,
  remarks: Remarks,
): { queue: string; workerOptions: string | undefined } | undefined {
  const [first, second] = decorator.getArguments();
  if (!first) return refuse(remarks, decorator, '@Processor() names no queue');
  if (!ts.Node.isObjectLiteralExpression(first)) return { queue: first.getText(), workerOptions: second?.getText() };
  const name = first.getProperty('name');
  const queue = ts.Node.isPropertyAssignment(name) ? name.getInitializerOrThrow().getText() : undefined;
  if (queue === undefined) return refuse(remarks, decorator, '@Processor() names no queue');
  const rest = first.getProperties().filter((property) => property !== name);
  const scope = rest.find((property) => /^(scope|configKey)\b/.test(property.getText()));
  if (scope) return refuse(remarks, scope, `nothing stands for ${lineOf(scope)} of @Processor()`);
  const options = [...rest.map((property) => property.getText())].join(', ');
  return { queue, workerOptions: second?.getText() ?? (options === '' ? undefined : `{ ${options} }`) };
}

/** Whether a parameter has the type `Job` or `Job<…>`. */
export function isJob(parameter: ParameterDeclaration): boolean {
  return /^Job\b(?!\.)/.test(parameter.getTypeNode()?.getText() ?? '');
}

/** The type of the data in the type of a job; `any` as BullMQ has it when there is none. */
export function dataTypeOf(ts: TsMorph, job: ParameterDeclaration): string {
  const type = job.getTypeNode();
  if (!ts.Node.isTypeReference(type)) return 'any';
  return type.getTypeArguments()[0]?.getText() ?? 'any';
}

/** The places where a method uses one of its parameters. */
export function usesOf(ts: TsMorph, method: MethodDeclaration, parameter: ParameterDeclaration): Identifier[] {
  const { Node: Is, SyntaxKind } = ts;
  const name = parameter.getName();
  return (method.getBody()?.getDescendantsOfKind(SyntaxKind.Identifier) ?? []).filter((identifier) => {
    if (identifier.getText() !== name) return false;
    const parent = identifier.getParent();
    if (Is.isPropertyAccessExpression(parent)) return parent.getExpression() === identifier;
    if (Is.isPropertyAssignment(parent)) return parent.getInitializer() === identifier;
    return !Is.isBindingElement(parent) || parent.getInitializer() === identifier;
  });
}

function refuse(remarks: Remarks, node: { getStartLineNumber(): number }, text: string): undefined {
  remarks.refuse(node, text);
  return undefined;
}
