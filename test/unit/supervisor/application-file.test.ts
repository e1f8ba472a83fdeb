import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { findApplication } from '../../../lib/supervisor/application-file.js';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'application-file-'));
  mkdirSync(join(folder, 'dist'));
  writeFileSync(join(folder, 'dist/app.module.js'), 'exports.AppModule = class AppModule {};');
  writeFileSync(
    join(folder, 'dist/main.js'),
    'const app = await core_1.NestFactory.create(AppModule); await app.listen(3000);',
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('finds the file, with or without its ending, and the name of the class', () => {
  const file = join(folder, 'dist/app.module.js');
  expect(findApplication('./dist/app.module.js', folder)).toMatchObject({ file, exportName: undefined });
  expect(findApplication('dist/app.module#RootModule', folder)).toMatchObject({ file, exportName: 'RootModule' });
});

it.each([
  ['a file that is not there', './dist/app.modul.js', 'Did you mean ./dist/app.module.js?'],
  ['a folder that is not there', './build/app.module.js', 'Did you mean ./dist/app.module.js?'],
  [
    'main.js',
    './dist/main.js',
    './dist/main.js starts an application by itself, with NestFactory.create(). Give the file that exports its module instead: ./dist/app.module.js#AppModule.',
  ],
  ['nothing', undefined, 'Give the compiled file with the module of the application'],
])('refuses %s', (_, text, message) => {
  expect(() => findApplication(text, folder)).toThrow(message);
});
