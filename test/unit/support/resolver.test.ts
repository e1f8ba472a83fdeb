import { expect, test } from '@jest/globals';
import config from '../../../jest.config.js';

test('no project maps relative imports, because Jest looks a mapping up again for each test file', () => {
  const mappings = config.projects.flatMap(({ moduleNameMapper }) => Object.keys(moduleNameMapper));
  expect(mappings).toContain('^nestjs-task-queue$');
  const relative = ['./file.js', '../folder/file.js', './file.cjs', './file'];
  expect(mappings.filter((pattern) => relative.some((path) => new RegExp(pattern).test(path)))).toEqual([]);
});
