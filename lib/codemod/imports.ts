import type { SourceFile } from 'ts-morph';
import type { TsMorph } from './load-ts-morph.js';

/** What a processor imports for BullMQ, and needs no more. */
const OLD: Readonly<Record<string, readonly string[]>> = {
  '@nestjs/bullmq': ['Processor', 'WorkerHost', 'OnWorkerEvent'],
  bullmq: ['Job', 'UnrecoverableError', 'DelayedError'],
};
const PACKAGE = 'nestjs-task-queue';

/** Removes the imports that nothing uses any more, and imports what the new code uses of this package. */
export function correctImports(ts: TsMorph, file: SourceFile, used: readonly string[]): void {
  const place = file.getImportDeclaration('@nestjs/bullmq')?.getChildIndex() ?? 0;
  for (const [from, names] of Object.entries(OLD)) {
    for (const declaration of file.getImportDeclarations().filter((each) => each.getModuleSpecifierValue() === from)) {
      for (const named of declaration.getNamedImports()) {
        const name = named.getAliasNode()?.getText() ?? named.getName();
        if (names.includes(named.getName()) && !isUsed(ts, file, name)) named.remove();
      }
    }
  }
  const known = file.getImportDeclaration((each) => each.getModuleSpecifierValue() === PACKAGE && !each.isTypeOnly());
  const missing = used.filter((name) => !known?.getNamedImports().some((each) => each.getName() === bare(name)));
  if (known) known.addNamedImports(missing);
  else if (missing.length > 0)
    file.insertStatements(
      place,
      `import { ${missing.toSorted((a, b) => bare(a).localeCompare(bare(b))).join(', ')} } from '${PACKAGE}';`,
    );
  for (const from of Object.keys(OLD)) {
    for (const declaration of file.getImportDeclarations().filter((each) => each.getModuleSpecifierValue() === from)) {
      const isEmpty = declaration.getNamedImports().length === 0;
      if (isEmpty && !declaration.getDefaultImport() && !declaration.getNamespaceImport()) declaration.remove();
    }
  }
  const end = file.getImportDeclarations().at(-1)?.getEnd() ?? 0;
  if (/^\n\S/.test(file.getFullText().slice(end))) file.insertText(end, '\n');
}

function bare(name: string): string {
  return name.replace('type ', '');
}

function isUsed(ts: TsMorph, file: SourceFile, name: string): boolean {
  return file
    .getDescendantsOfKind(ts.SyntaxKind.Identifier)
    .some((each) => each.getText() === name && !each.getFirstAncestorByKind(ts.SyntaxKind.ImportDeclaration));
}
