import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { toReplay } from '../../../lib/cli/commands/replay.js';
import { placeholderOf, withoutValues } from '../../../lib/cli/replay/placeholders.js';
import { readProject } from '../../../lib/cli/replay/project.js';
import { testFile } from '../../../lib/cli/replay/test-file.js';

describe('placeholderOf', () => {
  it.each([
    ['Ann', 'text'],
    ['', ''],
    ['ann@corp.test', 'user@example.com'],
    ['https://corp.test/a?token=1', 'https://example.com/'],
    ['2026-11-27T03:10:05.123Z', '2000-01-01T00:00:00.000Z'],
    ['2026-11-27', '2000-01-01'],
    ['4711', '1'],
    ['3f2504e0-4f89-41d3-9a0c-0305e82c3301', '00000000-0000-4000-8000-000000000000'],
    [4711, 1],
    [-3, -1],
    [2.75, 0.5],
    [0, 0],
    [false, true],
    [null, null],
    [[], []],
    [{ user: { name: 'Ann', tags: ['a', 'b'] } }, { user: { name: 'text', tags: ['text', 'text'] } }],
  ])('%j becomes %j', (value, placeholder) => {
    expect(placeholderOf(value)).toEqual(placeholder);
  });
});

it('a message keeps none of the values', () => {
  const values = [{ user: 'Ann Smith', age: 41 }, 'Ann'];
  expect(withoutValues('Ann Smith (41) has no invoice 2026-11 of Ann', values)).toBe('… (…) has no invoice …-… of …');
});

const failed = {
  ...{ id: 'reports.q0hQ2gD2mR7c3gYtVJm1Ng', name: 'ReportTasks.build', attempt: 3, maxAttempts: 3 },
  args: [{ month: '2026-11', password: 'hush' }, 7],
  headers: { owner: 'ann' },
  failedAt: '2026-11-27T03:10:05.000Z',
  error: { name: 'TypeError', message: 'no report of ann */ for 2026-11' },
};

describe('testFile', () => {
  const project = {
    modulePath: '../src/app.module',
    moduleName: 'AppModule',
    runner: '@jest/globals',
    isCommonJs: false,
  };

  it('has placeholders, and none of the values', () => {
    expect(testFile(toReplay(failed, false, false), project)).toBe(`import { expect, test } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { TaskTesting } from 'nestjs-task-queue/testing';
import { AppModule } from '../src/app.module';

/**
 * Task ReportTasks.build (reports.q0hQ2gD2mR7c3gYtVJm1Ng) failed in attempt 3 of 3 on 2026-11-27 03:10 UTC:
 * TypeError: no report of … * / for …
 *
 * This test fails with the same error, until the cause is mended. Then it passes.
 * Each value is a placeholder of its type. Replace those that the failure depends on, or use --with-values.
 */
test("ReportTasks.build does not fail with TypeError", async () => {
  const builder = Test.createTestingModule({ imports: [AppModule] });
  const moduleRef = await TaskTesting.configure(builder).compile();
  try {
    const { outcome, error } = await moduleRef.get(TaskTesting).replay({
      name: "ReportTasks.build",
      args: [
        {
          "month": "2000-01",
          "password": "text"
        },
        1
      ],
      headers: {
        "owner": "text"
      },
      attempt: 3,
    });
    if (error) throw error;
    expect(outcome).toBe('succeeded');
  } finally {
    await moduleRef.close();
  }
});
`);
  });

  it('with values, those that are named like secrets stay out unless --reveal', () => {
    const masked = testFile(toReplay(failed, true, false), project);
    expect(masked).toContain('"month": "2026-11"');
    expect(masked).toContain('"password": "[masked]"');
    expect(masked).toContain('but for those that are named like secrets');
    expect(testFile(toReplay(failed, true, true), project)).toContain('"password": "hush"');
  });

  it('CommonJS uses require, and a property named __proto__ stays data', () => {
    const args = JSON.parse('[{"__proto__": {"a": 1}}]') as typeof failed.args;
    const text = testFile(toReplay({ ...failed, args }, true, false), {
      ...project,
      isCommonJs: true,
      runner: undefined,
    });
    expect(text).toContain("const { Test } = require('@nestjs/testing');");
    expect(text).not.toContain('import ');
    expect(text).toContain(String.raw`args: JSON.parse("[{\"__proto__\":{\"a\":1}}]"),`);
  });
});

describe('readProject', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tq-project-'));
    mkdirSync(join(folder, 'src'));
    writeFileSync(join(folder, 'src/app.module.ts'), '');
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const read = (manifest: object, file = 'test/replay.spec.ts', module?: string) => {
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
    return readProject(folder, join(folder, file), module);
  };

  it('a generated Nest application has Jest with global functions and CommonJS', () => {
    expect(read({ devDependencies: { jest: '30' } })).toEqual({
      modulePath: '../src/app.module',
      moduleName: 'AppModule',
      runner: undefined,
      isCommonJs: false,
    });
  });

  it('an ES module imports files with their ending, Vitest and @jest/globals are imported', () => {
    expect(read({ type: 'module', devDependencies: { vitest: '3' } })).toMatchObject({
      modulePath: '../src/app.module.js',
      runner: 'vitest',
    });
    expect(read({ devDependencies: { '@jest/globals': '30' } })).toMatchObject({ runner: '@jest/globals' });
  });

  it('another module can be named', () => {
    writeFileSync(join(folder, 'src/worker.ts'), '');
    expect(read({}, 'replay.spec.js', 'src/worker.ts#WorkerModule')).toMatchObject({
      modulePath: './src/worker',
      moduleName: 'WorkerModule',
      isCommonJs: true,
    });
    expect(() => read({}, 'a.spec.ts', 'src/none.ts#X')).toThrow(/There is no file .*none\.ts/);
  });
});
