/**
 * Writes what each entry point exports into `api/`, from the declarations that `npm run build` has written, so that every change
 * of the public API is seen in a review. With `--check`, it changes nothing and fails when a report is not up to date.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor';
import { root } from './project.js';

const isCheck = process.argv.includes('--check');
const folder = join(root, 'api');
mkdirSync(folder, { recursive: true });
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const outdated = [];

for (const [path, entry] of Object.entries(manifest.exports)) {
  const types = entry.import?.types;
  if (types === undefined) continue;
  const name = path === '.' ? 'main' : path.slice(2).replaceAll('/', '-');
  const config = ExtractorConfig.prepare({
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: join(root, types),
      // Declarations bring their own types; the options are those of an application.
      compiler: { overrideTsconfig: { compilerOptions: { target: 'es2022', module: 'nodenext', types: ['node'] } } },
      apiReport: {
        enabled: true,
        reportFolder: folder,
        reportTempFolder: join(root, 'dist/api'),
        reportFileName: name,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: 'lf',
      messages: {
        compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
        extractorMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
        tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(root, 'package.json'),
  });
  const { apiReportChanged } = Extractor.invoke(config, { localBuild: !isCheck, messageCallback: silence });
  if (apiReportChanged) outdated.push(`api/${name}.api.md`);
}
if (isCheck && outdated.length > 0) {
  console.error(`The public API has changed. Run "npm run api" and look at: ${outdated.join(', ')}.`);
  process.exitCode = 1;
} else {
  console.log(
    outdated.length > 0 ? `Written: ${outdated.join(', ')}` : 'The reports of the public API are up to date.',
  );
}

/** @param {{ handled: boolean }} message */
function silence(message) {
  message.handled = true;
}
