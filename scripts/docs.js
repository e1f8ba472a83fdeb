/**
 * `npm run docs [-- --out <folder>]`: builds a site from the README, the pages of `docs` and the docstrings of the public API, with search
 * and both themes, into `site`. A link that leads nowhere fails the build.
 *
 * typedoc shows pages in groups. The groups and the order are those of `docs/README.md`, so no page needs a head of its own.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Application, LogLevel } from 'typedoc';
import { brokenLinks } from './site/broken-links.js';
import { groupsOf, titleOf, toPage } from './site/pages.js';
import { root } from './project.js';

const { values } = parseArgs({ options: { out: { type: 'string', default: join(root, 'site') } } });
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
/** Beside `docs`, so that the links of pages to other files stay as they are. */
const staged = join(root, '.site');

rmSync(staged, { recursive: true, force: true });
rmSync(values.out, { recursive: true, force: true });
mkdirSync(staged);
const groups = groupsOf(readFileSync(join(root, 'docs/README.md'), 'utf8'));
const documents = [];
for (const [group, pages] of groups) {
  for (const page of pages) {
    const text = readFileSync(join(root, 'docs', page), 'utf8');
    writeFileSync(join(staged, page), toPage(text, { title: titleOf(text), group }));
    documents.push(join(staged, page));
  }
}
cpSync(join(root, 'docs/images'), join(staged, 'images'), { recursive: true });
writeFileSync(
  join(staged, 'README.md'),
  readFileSync(join(root, 'README.md'), 'utf8')
    // typedoc shows the name of the package above it.
    .replace(/^# .+\n/, '')
    .replaceAll('](docs/README.md)', '](getting-started.md)')
    .replaceAll('](docs/', '](')
    .replaceAll(/\]\(((?:CONTRIBUTING|SECURITY|sample\/README)\.md)\)/g, '](../$1)'),
);

const entryPoints = Object.keys(manifest.exports)
  .filter((path) => path !== './package.json')
  .map((path) => entryOf(path));
const application = await Application.bootstrapWithPlugins({
  name: 'nestjs-task-queue',
  entryPoints,
  tsconfig: join(root, 'tsconfig.build.json'),
  skipErrorChecking: true,
  out: values.out,
  readme: join(staged, 'README.md'),
  projectDocuments: documents,
  includeVersion: true,
  disableSources: true,
  excludeInternal: true,
  excludePrivate: true,
  excludeExternals: true,
  searchInDocuments: true,
  searchInComments: true,
  router: 'structure',
  sort: ['kind', 'instance-first', 'alphabetical-ignoring-documents'],
  groupOrder: [...groups.keys(), '*'],
  navigation: { includeGroups: true, includeFolders: false },
  navigationLinks: { npm: `https://www.npmjs.com/package/${manifest.name}` },
  customCss: join(root, 'scripts/site/site.css'),
  favicon: join(root, 'dashboard/icon.svg'),
  // Pages show code of shells and configuration files too.
  highlightLanguages: [
    'bash',
    'console',
    'css',
    'mermaid',
    'python',
    'diff',
    'html',
    'ini',
    'javascript',
    'json',
    'jsonc',
    'sql',
    'tsx',
    'typescript',
    'yaml',
  ],
  validation: {
    notExported: false,
    invalidLink: false,
    invalidPath: true,
    rewrittenLink: true,
    notDocumented: false,
    unusedMergeModuleWith: false,
  },
  logLevel: LogLevel.Warn,
});
const project = await application.convert();
if (!project) fail('typedoc could not read the sources.');
application.validate(project);
await application.generateOutputs(project);
rmSync(staged, { recursive: true });

const broken = brokenLinks(values.out);
for (const { page, link } of broken) console.error(`${page}: ${link} leads nowhere`);
if (broken.length > 0 || application.logger.hasErrors()) fail(`${broken.length} broken links.`);
else
  console.log(
    `Written: ${values.out}, ${documents.length} pages of the guide, ${readdirSync(values.out).length} entries.`,
  );

/** `./health` is `lib/health/index.ts`. */
function entryOf(path) {
  const name =
    path === '.' ? 'index.ts' : path.endsWith('matchers') ? `${path.slice(2)}.ts` : `${path.slice(2)}/index.ts`;
  return join(root, 'lib', name);
}

function fail(text) {
  console.error(text);
  process.exitCode = 1;
}
