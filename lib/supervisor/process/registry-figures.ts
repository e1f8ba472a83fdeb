import { createRequire } from 'node:module';

/**
 * What the default registry of prom-client has, of the copy that the application uses; `null` when the package is not installed
 * there. The supervisor adds up the figures of all processes.
 */
export async function registryFigures(file: string): Promise<readonly object[] | null> {
  let client: PromClient;
  try {
    client = createRequire(file)('prom-client') as PromClient;
  } catch {
    return null;
  }
  return await client.register.getMetricsAsJSON();
}

interface PromClient {
  readonly register: { getMetricsAsJSON(): Promise<readonly object[]> };
}
