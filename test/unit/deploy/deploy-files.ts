import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { load, loadAll } from 'js-yaml';
import { addWorker } from '../../../lib/cli/commands/worker.js';
import { resolveSettings, type SupervisorSettings, type WorkerFlags } from '../../../lib/supervisor/settings.js';

const folder = fileURLToPath(new URL('../../../deploy/', import.meta.url));

export const read = (name: string): string => readFileSync(folder + name, 'utf8');

/** All files of the folder but the application, by their paths in it. */
export const files = readdirSync(folder, { recursive: true, withFileTypes: true, encoding: 'utf8' })
  .filter((entry) => entry.isFile())
  .map((entry) => `${entry.parentPath}/${entry.name}`.replaceAll(/\/+/g, '/').slice(folder.length))
  .filter((name) => !/node_modules|^app\/dist/.test(name));

/** A part of a YAML file; the schemas check its form. */
// eslint-disable-next-line typescript/no-explicit-any
export type Part = any;

export const compose = load(read('docker/compose.yaml')) as Part;
const manifestFiles = files.filter((name) => name.startsWith('kubernetes/') && name.endsWith('.yaml'));
export const manifests = manifestFiles
  .filter((name) => name !== 'kubernetes/kustomization.yaml')
  .flatMap((name) => loadAll(read(name)) as Part[]);
export const kustomization = load(read('kubernetes/kustomization.yaml')) as Part;

export const manifest = (kind: string, name: string): Part =>
  manifests.find((each) => each.kind === kind && each.metadata.name === name);

/** `Key=value` lines of a unit of systemd, and `key=value` lines of a program of Supervisor. */
export function settingsIn(text: string): ReadonlyMap<string, string> {
  return new Map(
    text
      .split('\n')
      .filter((line) => /^[\w]+=/.test(line))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

const [, , workerProgram = ''] = read('supervisor/shop.conf').split(/^\[/m);
export const supervisorWorker = settingsIn(workerProgram);
export const unit = settingsIn(read('systemd/shop-worker.service'));

const worker = manifest('Deployment', 'shop-worker').spec.template.spec;
export const pod: Part = worker.containers[0];

/** The command lines of the workers in each form, and the seconds that its manager waits for the end. */
export const commandLines: Readonly<Record<string, { line: readonly string[]; wait: number }>> = {
  compose: { line: compose.services.worker.command, wait: seconds(compose.services.worker.stop_grace_period) },
  kubernetes: { line: [...pod.command, ...pod.args], wait: worker.terminationGracePeriodSeconds },
  systemd: { line: unit.get('ExecStart')?.split(' ') ?? [], wait: seconds(unit.get('TimeoutStopSec')) },
  supervisor: {
    line: supervisorWorker.get('command')?.replaceAll('%(process_num)d', '1').split(' ') ?? [],
    wait: Number(supervisorWorker.get('stopwaitsecs')),
  },
};

function seconds(text: string | undefined): number {
  return Number(/^(\d+)s$/.exec(text ?? '')?.[1]);
}

/** What the command makes of its arguments. */
export function parseWorker(line: readonly string[]): {
  readonly operands: string[];
  readonly unknown: string[];
  readonly settings: SupervisorSettings;
} {
  const program = new Command();
  addWorker(program, undefined as never);
  const command = program.commands[0] as Command;
  const { operands, unknown } = command.parseOptions([...line.slice(line.indexOf('worker') + 1)]);
  return { operands, unknown, settings: resolveSettings(command.opts<WorkerFlags>(), {}) };
}
