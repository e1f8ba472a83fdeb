import { createRequire } from 'node:module';
import type { INestApplicationContext } from '@nestjs/common';
import { METRICS_REGISTRY } from '../../workers/worker-process.js';
import type { MetricFigures } from '../messages.js';

/**
 * What the registries of prom-client have: that of `TaskMetricsModule`, and the default one of the copy that the application uses. The
 * supervisor adds up the figures of all processes.
 */
export async function registryFigures(app: INestApplicationContext, file: string): Promise<readonly MetricFigures[]> {
  const registries = new Set([registryOfModule(app), defaultRegistry(file)].filter((one) => one !== undefined));
  return (await Promise.all(Array.from(registries, (one) => one.getMetricsAsJSON()))).flat();
}

function registryOfModule(app: INestApplicationContext): Registry | undefined {
  try {
    return app.get<Registry>(METRICS_REGISTRY, { strict: false });
  } catch {
    return undefined; // The application does not import the module.
  }
}

function defaultRegistry(file: string): Registry | undefined {
  try {
    return (createRequire(file)('prom-client') as { readonly register: Registry }).register;
  } catch {
    return undefined; // The package is not installed.
  }
}

interface Registry {
  getMetricsAsJSON(): Promise<readonly MetricFigures[]>;
}
