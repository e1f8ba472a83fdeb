import type { CallExpression, SourceFile } from 'ts-morph';
import type { TsMorph } from './load-ts-morph.js';

/** Calls of a queue with the place of the name in their arguments. */
const NAMED: Readonly<Record<string, RegExp>> = {
  add: /^\s*(['"`][^'"`$]+['"`])/,
  addBulk: /\bname:\s*(['"][^'"]+['"])/g,
  upsertJobScheduler: /\bname:\s*(['"][^'"]+['"])/g,
};

/**
 * The names of the jobs that producers add to a queue, as source text: the calls of what they inject with `@InjectQueue()`.
 *
 * @param queue the queue as source text
 */
export function jobNamesOf(ts: TsMorph, files: readonly SourceFile[], queue: string): string[] {
  const names = new Set<string>();
  for (const file of files) {
    const injected = file
      .getDescendantsOfKind(ts.SyntaxKind.Decorator)
      .filter((each) => each.getName() === 'InjectQueue' && each.getArguments()[0]?.getText() === queue)
      .flatMap((each) => {
        const owner = each.getParent();
        return ts.Node.isParameterDeclaration(owner) || ts.Node.isPropertyDeclaration(owner) ? [owner.getName()] : [];
      });
    for (const call of file.getDescendantsOfKind(ts.SyntaxKind.CallExpression)) {
      for (const name of namesIn(ts, call, injected)) names.add(name);
    }
  }
  return [...names];
}

function namesIn(ts: TsMorph, call: CallExpression, injected: readonly string[]): string[] {
  const called = call.getExpression();
  if (!ts.Node.isPropertyAccessExpression(called)) return [];
  const owner = called
    .getExpression()
    .getText()
    .replace(/^this\./, '');
  const pattern = NAMED[called.getName()];
  if (!pattern || !injected.includes(owner)) return [];
  const text = call
    .getArguments()
    .map((argument) => argument.getText())
    .join(', ');
  const found = pattern.global ? [...text.matchAll(pattern)] : [pattern.exec(text)];
  return found.flatMap((match) => (match?.[1] === undefined ? [] : [match[1]]));
}
