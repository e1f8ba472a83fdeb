import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { CHECKED_VERSIONS, warningOfUncheckedVersions } from '../../../../lib/engine/bullmq/checked-versions.js';
import { installedVersion } from '../../../../lib/package-location.cjs';

const development = JSON.parse(readFileSync('package.json', 'utf8')) as { devDependencies: Record<string, string> };

it.each(Object.keys(CHECKED_VERSIONS))('the tests run with a checked version of %s', (name) => {
  expect(installedVersion(name)).toBe(development.devDependencies[name]);
  expect(warningOfUncheckedVersions([name])).toBeUndefined();
});

it('a patch version of a checked minor version gives no warning', () => {
  expect(warningOfUncheckedVersions(['bullmq'], () => `${CHECKED_VERSIONS['bullmq']?.at(-1)}.99`)).toBeUndefined();
});

it('one warning names every unchecked package, its version, the checked ones and the cure', () => {
  const warning = warningOfUncheckedVersions(['bullmq', 'pg'], (name) => (name === 'pg' ? '8.99.1' : '6.98.0'));
  expect(warning).toContain('bullmq 6.98.0 (checked: 6.7.x) and pg 8.99.1 (checked: 8.23.x)');
  expect(warning).toContain('npm install bullmq@~6.7.0 pg@~8.23.0');
});

it('a package whose version cannot be found gives no warning', () => {
  expect(installedVersion('no-such-package')).toBeUndefined();
  expect(warningOfUncheckedVersions(['no-such-package'])).toBeUndefined();
});
