import type { Json } from '../../engine/json.js';
import type { CallOfTask } from '../../operator/call-of-task.js';
import { printable } from '../style.js';
import type { TestProject } from './project.js';

/** A failed task as the test runs it again. */
export interface ReplayedCall extends Omit<CallOfTask, 'error'> {
  /** As the comment shows it. */
  readonly error: string;
  readonly errorName: string;
  /** What the comment says of the values. */
  readonly about: string;
}

/**
 * The text of a test that runs one attempt of the task again and throws its error. So it fails as the task failed, with the stack
 * of the application's code, until the cause is mended; from then on it guards against the same fault.
 */
export function testFile(call: ReplayedCall, project: TestProject): string {
  const { name, attempt, maxAttempts, failedAt } = call;
  const when = failedAt === null ? '' : ` on ${failedAt.slice(0, 16).replace('T', ' ')} UTC`;
  const lines = [
    ...importsOf(project),
    '',
    '/**',
    ` * Task ${comment(name)} (${comment(call.id)}) failed in attempt ${attempt} of ${maxAttempts}${when}:`,
    ` * ${comment(call.error)}`,
    ' *',
    ' * This test fails with the same error, until the cause is mended. Then it passes.',
    ` * ${call.about}`,
    ' */',
    `test(${JSON.stringify(`${name} does not fail with ${call.errorName}`)}, async () => {`,
    `  const builder = Test.createTestingModule({ imports: [${project.moduleName}] });`,
    '  const moduleRef = await TaskTesting.configure(builder).compile();',
    '  try {',
    '    const { outcome, error } = await moduleRef.get(TaskTesting).replay({',
    `      name: ${JSON.stringify(name)},`,
    `      args: ${literal(call.args)},`,
    ...(Object.keys(call.headers).length === 0 ? [] : [`      headers: ${literal(call.headers)},`]),
    `      attempt: ${attempt},`,
    '    });',
    '    if (error) throw error;',
    "    expect(outcome).toBe('succeeded');",
    '  } finally {',
    '    await moduleRef.close();',
    '  }',
    '});',
  ];
  return `${lines.join('\n')}\n`;
}

function importsOf({ runner, moduleName, modulePath, isCommonJs }: TestProject): string[] {
  const imports: (readonly [names: string, from: string])[] = [
    ...(runner === undefined ? [] : [['expect, test', runner] as const]),
    ['Test', '@nestjs/testing'],
    ['TaskTesting', 'nestjs-task-queue/testing'],
    [moduleName, modulePath],
  ];
  return imports.map(([names, from]) =>
    isCommonJs ? `const { ${names} } = require('${from}');` : `import { ${names} } from '${from}';`,
  );
}

/** A value as code. In an object literal, a property named `__proto__` would be something else. */
function literal(value: Json): string {
  const text = JSON.stringify(value, null, 2).replaceAll('\n', '\n      ');
  return text.includes('"__proto__"') ? `JSON.parse(${JSON.stringify(JSON.stringify(value))})` : text;
}

function comment(text: string): string {
  return printable(text).replaceAll('*/', '* /').slice(0, 500);
}
