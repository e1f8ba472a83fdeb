import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, test } from '@jest/globals';
import * as keda from '@kubernetes-models/keda/keda.sh/v1alpha1';
import { DCLinter } from 'dclint';
import { validate as validateDockerfile } from 'dockerfile-utils';
import * as apps from 'kubernetes-models/apps/v1';
import * as batch from 'kubernetes-models/batch/v1';
import * as policy from 'kubernetes-models/policy/v1';
import * as core from 'kubernetes-models/v1';
import { EXIT } from '../../../lib/cli/exit-code.js';
import { METRICS, prometheusName } from '../../../lib/metrics/metric-list.js';
import {
  commandLines,
  compose,
  files,
  kustomization,
  manifest,
  manifests,
  parseWorker,
  pod,
  read,
  supervisorWorker,
  unit,
  type Part,
} from './deploy-files.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const app = (name: string) => readFileSync(`${root}deploy/app/src/${name}`, 'utf8');

/** What the linter of Compose returns for a file. */
interface Faults {
  readonly messages: readonly { readonly rule: string; readonly message: string }[];
}

describe('each file is valid by the rules of its program', () => {
  test('compose.yaml by the schema of Compose, and by its linter', () => {
    const rules = ['service-keys-order', 'services-alphabetical-order', 'top-level-properties-order'];
    const linter = new DCLinter({
      rules: Object.fromEntries(rules.map((rule) => [rule, 0])),
      quiet: false,
      debug: false,
      exclude: [],
    });
    const faults = (file: string) =>
      linter
        .lintFiles([file], false)
        .flatMap(({ messages }: Faults) => messages.map(({ rule, message }) => `${rule}: ${message}`));
    expect(faults(`${root}deploy/docker/compose.yaml`)).toEqual([]);
    const folder = mkdtempSync(join(tmpdir(), 'compose-'));
    writeFileSync(
      join(folder, 'compose.yaml'),
      read('docker/compose.yaml').replace('stop_grace_period', 'grace_period'),
    );
    expect(faults(join(folder, 'compose.yaml')).join()).toContain('invalid-schema');
    rmSync(folder, { recursive: true });
  });

  test('Dockerfile by its linter', () => {
    expect(validateDockerfile(read('docker/Dockerfile'))).toEqual([]);
    expect(validateDockerfile('FROM node\nNOSUCH thing\n').length).toBeGreaterThan(0);
  });

  const kinds: Record<string, new (data: Part) => { validate(): void }> = {
    'apps/v1 Deployment': apps.Deployment,
    'batch/v1 Job': batch.Job,
    'policy/v1 PodDisruptionBudget': policy.PodDisruptionBudget,
    'v1 Secret': core.Secret,
    'v1 Service': core.Service,
    'keda.sh/v1alpha1 ScaledObject': keda.ScaledObject,
  };
  it.each(manifests.map((each) => [`${each.apiVersion} ${each.kind}`, each.metadata.name, each] as const))(
    '%s %s by the schemas of Kubernetes and KEDA',
    (kind, _, data: Part) => {
      const Model = kinds[kind] as (typeof kinds)[string];
      expect(() => new Model(data).validate()).not.toThrow();
      expect(() => new Model({ ...data, spec: 1, data: 1 }).validate()).toThrow(/must be/);
    },
  );

  test('kustomization.yaml names every manifest', () => {
    const all = files.filter((name) => /^kubernetes\/.*\.yaml$/.test(name)).map((name) => name.split('/')[1]);
    expect(new Set([...kustomization.resources, 'kustomization.yaml'])).toEqual(new Set(all));
  });
});

describe.each(Object.entries(commandLines))('the workers of %s', (form, { line, wait }) => {
  const { operands, unknown, settings } = parseWorker(line);

  it('have options that the command knows, and a module that the application has', () => {
    expect(unknown).toEqual([]);
    expect(operands).toEqual(['./dist/app.module.js']);
    expect(existsSync(`${root}deploy/app/src/app.module.ts`)).toBe(true);
    expect(line.join(' ')).toContain('node_modules/.bin/nestjs-task-queue worker');
  });

  it('have time to stop: the grace, and 25 s', () => {
    expect(settings.grace).toBeGreaterThanOrEqual(30_000);
    expect(wait * 1_000).toBeGreaterThanOrEqual((settings.grace ?? Infinity) + 25_000);
    expect(readFileSync(`${root}docs/deployment.md`, 'utf8')).toMatch(
      new RegExp(`^\\| ${form} .*\\| ${wait} s +\\| ${(settings.grace ?? 0) / 1_000} s`, 'im'),
    );
  });

  it('serve their probes', () => {
    expect(settings.health?.port).toBe(8081);
  });
});

test('every manager keeps the exit code of a wrong configuration from being tried again', () => {
  expect(unit.get('RestartPreventExitStatus')).toBe(String(EXIT.usage));
  expect(supervisorWorker.get('exitcodes')).toBe(String(EXIT.usage));
  expect(supervisorWorker.get('autorestart')).toBe('unexpected');
  expect(unit.get('SuccessExitStatus')).toBe(String(EXIT.terminated));
});

test('the probes ask for paths and ports that exist', () => {
  expect(pod.livenessProbe.httpGet).toEqual({ path: '/live', port: 'health' });
  for (const probe of [pod.readinessProbe, pod.startupProbe]) {
    expect(probe.httpGet).toEqual({ path: '/ready', port: 'health' });
    // A process says within 3 s how it is.
    expect(probe.timeoutSeconds).toBeGreaterThan(3);
  }
  expect(pod.ports).toEqual([{ name: 'health', containerPort: 8081 }]);
  expect(compose.services.worker.healthcheck.test.join(' ')).toContain('127.0.0.1:8081/ready');
  const [web] = manifest('Deployment', 'shop-web').spec.template.spec.containers;
  const paths = ['livenessProbe', 'readinessProbe', 'startupProbe'].map((probe) => web[probe].httpGet.path as string);
  expect(new Set(paths)).toEqual(new Set(['/health/live', '/health/ready']));
  expect(app('probes.controller.ts')).toMatch(/@Controller\('health'\)[\s\S]*@Get\('live'\)[\s\S]*@Get\('ready'\)/);
});

test('KEDA counts what is due, by a metric and a queue that exist', () => {
  const [{ metadata }] = manifest('ScaledObject', 'shop-worker').spec.triggers;
  const name = prometheusName(METRICS.tasks);
  expect(metadata.valueLocation).toBe(`${name}{queue="orders",state="queued"}`);
  expect(metadata.url).toBe('http://shop-worker:8081/metrics');
  expect(manifest('Service', 'shop-worker').spec.ports[0].port).toBe(8081);
  expect(app('orders/orders.tasks.ts')).toContain("queue: 'orders'");
});

test('every variable of the package that a file sets is one that the package reads', () => {
  const variable = /TASK_QUEUE_[A-Z_]+/g;
  const source = readdirSync(`${root}lib`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(`${root}lib/${name}`, 'utf8'))
    .join('\n');
  const known = new Set(source.match(variable));
  for (const name of files) for (const used of read(name).match(variable) ?? []) expect([...known]).toContain(used);
  expect(known.size).toBeGreaterThan(10);
});

test('no password is in an argument of a worker', () => {
  for (const { line } of Object.values(commandLines)) expect(line.join(' ')).not.toMatch(/redis:|postgres:|password/i);
});
