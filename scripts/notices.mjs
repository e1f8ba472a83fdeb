/**
 * Writes `dist/THIRD-PARTY-NOTICES.txt`: the licences of all that the package contains of other packages. It fails when a licence is not
 * one of those that may be passed on like this, or when its text is missing.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ALLOWED = new Set(['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', '0BSD']);

/** What `dist/prepared-database.tar.br` has: the tables and functions of BullMQ in a database that PGlite has initialised. */
const IN_DATABASE = ['bullmq', '@electric-sql/pglite'];

/**
 * @param root the folder of the repository
 * @param inputs the files that esbuild has bundled, relative to `root`
 */
export function writeNotices(root, inputs) {
  const bundled = new Map(inputs.flatMap((input) => packageOf(input)).map((folder) => [folder, 'dist/dashboard']));
  for (const name of IN_DATABASE) bundled.set(`node_modules/${name}`, 'dist/prepared-database.tar.br');
  const notices = Array.from(bundled, ([folder, place]) => noticeOf(root, folder, place, inputs)).toSorted();
  const head = 'This package contains parts of the following packages. Its own licence is in the file LICENSE.';
  writeFileSync(
    join(root, 'dist/THIRD-PARTY-NOTICES.txt'),
    `${[head, ...notices].join(`\n\n${'-'.repeat(80)}\n\n`)}\n`,
  );
}

/** The folder of the package that a file belongs to; none for files of this repository. */
export function packageOf(input) {
  const found = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
  return found ? [found[1]] : [];
}

function noticeOf(root, folder, place, inputs) {
  const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
  if (!ALLOWED.has(license))
    throw new Error(`${name} has the licence ${license}, which scripts/notices.mjs does not allow.`);
  const files = readdirSync(join(root, folder)).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
  // A bundle inside of the package has the notices of what it has bundled beside it.
  const legal = inputs
    .filter((input) => input.startsWith(`${folder}/`))
    .map((input) => `${input}.LEGAL.txt`)
    .filter((file) => existsSync(join(root, file)));
  if (files.length === 0) throw new Error(`${folder} has no text of its licence, which has to travel in this package.`);
  const texts = [...files.map((file) => `${folder}/${file}`), ...legal].map((file) =>
    readFileSync(join(root, file), 'utf8').trim(),
  );
  return [`${name} ${version} (${license}), in ${place}`, ...texts].join('\n\n');
}
