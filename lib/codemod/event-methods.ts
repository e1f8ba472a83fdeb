import type { MethodDeclaration, ParameterDeclaration } from 'ts-morph';
import type { Remarks } from './conversion.js';
import { lineOf, spanOf } from './job-uses.js';
import type { TsMorph } from './load-ts-morph.js';
import { usesOf, type ProcessorClass } from './processor-class.js';
import { asComments, indentAt, type TextEdits } from './text-edits.js';

/** The events of this package that stand for one of BullMQ's worker. BullMQ emits `failed` after each attempt. */
const EVENTS: Readonly<Record<string, readonly string[]>> = {
  active: ['started'],
  completed: ['succeeded'],
  failed: ['failed', 'retrying'],
};
/** What an event has instead of the properties of the job. */
const PROPERTIES: Readonly<Record<string, string>> = {
  id: 'event.id',
  name: 'event.name',
  queueName: 'event.queue',
  attemptsMade: 'event.attempt',
  returnvalue: 'event.status.result',
  failedReason: 'event.error?.message',
};
const OPTIONS: Readonly<Record<string, string>> = { attempts: 'event.status.maxAttempts' };

/** Makes `@OnTask()` of `@OnWorkerEvent()`, or leaves the method as a comment with a TODO. */
export function convertListeners(
  ts: TsMorph,
  { listeners, queue }: ProcessorClass,
  edits: TextEdits,
  remarks: Remarks,
): { converted: boolean } {
  let converted = false;
  for (const { method, decorator } of listeners) {
    const event = decorator.getArguments()[0]?.getText().slice(1, -1) ?? '';
    const types = EVENTS[event];
    const found = types ? replacementsIn(ts, method, event) : `no event of this package stands for "${event}"`;
    if (typeof found === 'string') {
      leaveAsComment(method, found, edits, remarks);
      continue;
    }
    converted = true;
    const list = (types ?? []).map((type) => `'${type}'`);
    edits.replace(
      spanOf(decorator),
      `@OnTask(${list.length === 1 ? list[0] : `[${list.join(', ')}]`}, { queue: ${queue} })`,
    );
    const parameters = method.getParameters();
    const [first, last] = [parameters[0], parameters.at(-1)];
    if (first && last)
      edits.replace({ start: first.getStart(), end: last.getEnd() }, `event: TaskEvent<${list.join(' | ')}>`);
    for (const { start, end, text } of found) edits.replace({ start, end }, text);
  }
  return { converted };
}

interface Replacement {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** @returns what has to be replaced; a text when something cannot be */
function replacementsIn(ts: TsMorph, method: MethodDeclaration, event: string): Replacement[] | string {
  const [job, second, third] = method.getParameters();
  if (third && usesOf(ts, method, third).length > 0) return `nothing stands for ${third.getName()}`;
  const found = job ? replacementsOfJob(ts, method, job) : [];
  if (typeof found === 'string') return found;
  for (const use of second ? usesOf(ts, method, second) : []) {
    const parent = use.getParent();
    // Only some of the events have an error.
    const access = ts.Node.isPropertyAccessExpression(parent) ? parent : undefined;
    if (event === 'failed' && access && !access.hasQuestionDotToken())
      found.push({ ...spanOf(access), text: `event.error?.${access.getName()}` });
    else found.push({ ...spanOf(use), text: event === 'failed' ? 'event.error' : 'event.status.result' });
  }
  return found;
}

function replacementsOfJob(ts: TsMorph, method: MethodDeclaration, job: ParameterDeclaration): Replacement[] | string {
  if (!ts.Node.isIdentifier(job.getNameNode())) return `nothing stands for ${lineOf(job)}`;
  const found: Replacement[] = [];
  for (const use of usesOf(ts, method, job)) {
    const access = use.getParent();
    if (!ts.Node.isPropertyAccessExpression(access)) return 'the job itself is used';
    const name = access.getName();
    const parent = access.getParent();
    if (PROPERTIES[name] !== undefined) {
      found.push({ ...spanOf(access), text: PROPERTIES[name] });
    } else if (
      name === 'opts' &&
      ts.Node.isPropertyAccessExpression(parent) &&
      OPTIONS[parent.getName()] !== undefined
    ) {
      found.push({ ...spanOf(parent), text: OPTIONS[parent.getName()] as string });
    } else {
      const cure = name === 'data' ? '; TaskAdmin.task(event.id) has the arguments' : '';
      return `an event has nothing for ${access.getText()}${cure}`;
    }
  }
  return found;
}

function leaveAsComment(method: MethodDeclaration, why: string, edits: TextEdits, remarks: Remarks): void {
  const source = method.getSourceFile().getFullText();
  const indent = indentAt(source, method.getStart());
  remarks.todo(method, `${method.getName()}() is a comment now: ${why}`);
  const old = asComments(source.slice(method.getStart(), method.getEnd()), indent).trimStart();
  edits.replace(spanOf(method), `// TODO(codemod): ${why}. See @OnTask().\n${indent}${old}`);
}
