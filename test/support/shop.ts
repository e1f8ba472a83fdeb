import { transformFileSync } from '@swc/core';
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { until } from './until.js';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** Installs and builds `deploy/app` in a folder of its own, as `npm ci && npm run build` do. */
export function installShop(): { readonly folder: string; build(): void; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'shop-'));
  // Another user may run the application.
  chmodSync(folder, 0o755);
  const packages = join(folder, 'node_modules');
  mkdirSync(join(packages, '.bin'), { recursive: true });
  for (const name of readdirSync(join(root, 'node_modules')).filter((each) => !each.startsWith('.')))
    symlinkSync(join(root, 'node_modules', name), join(packages, name));
  symlinkSync(root, join(packages, 'nestjs-task-queue'));
  const program = join(packages, '.bin/nestjs-task-queue');
  const command = `exec "${process.execPath}" "${join(root, 'dist/esm/cli/main.js')}" "$@"`;
  writeFileSync(program, `#!/bin/sh\n${command}\n`, { mode: 0o755 });
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const source = join(root, 'deploy/app/src');
  const build = () => {
    for (const name of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue;
      const file = join(folder, 'dist', relative(source, join(source, name)).replace(/\.ts$/, '.js'));
      mkdirSync(dirname(file), { recursive: true });
      const { code } = transformFileSync(join(source, name), { sourceMaps: false });
      writeFileSync(file, code);
    }
  };
  build();
  return { folder, build, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Makes the tables of the application. */
export async function migrateShop(folder: string, database: string): Promise<void> {
  await promisify(execFile)(process.execPath, ['dist/migrate.js'], { cwd: folder, env: { DATABASE_URL: database } });
}

/** Customers who order one thing after the other, each with a key of its own. They repeat nothing. */
export class Customers {
  readonly ordered: string[] = [];
  readonly refused: string[] = [];
  private isOpen = true;
  private readonly running: Promise<void>[];

  constructor(
    private readonly url: string,
    count: number,
  ) {
    this.running = Array.from({ length: count }, (_, customer) => this.order(customer));
  }

  /** Resolves once so many orders were accepted from now on. */
  async haveOrdered(count: number): Promise<void> {
    const aim = this.ordered.length + count;
    await until(
      () => this.ordered.length >= aim,
      () =>
        `${aim} orders are accepted; ${this.ordered.length} are, and ${this.refused.slice(0, 5).join(', ')} refused`,
      90_000,
    );
  }

  /** No further orders. Resolves once the last one is answered. */
  async leave(): Promise<void> {
    this.isOpen = false;
    await Promise.all(this.running);
  }

  private async order(customer: number): Promise<void> {
    for (let number = 0; this.isOpen; number++) {
      const answer = await fetch(`${this.url}/orders`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': `${customer}-${number}` },
        body: JSON.stringify({ item: 'tea' }),
        signal: AbortSignal.timeout(30_000),
      }).catch((error: Error) => error);
      if (answer instanceof Response && answer.status === 202)
        this.ordered.push(((await answer.json()) as { id: string }).id);
      else
        this.refused.push(
          answer instanceof Response
            ? `${answer.status}`
            : `${answer.message}: ${(answer.cause as Error | undefined)?.message ?? ''}`,
        );
      // Slower than the workers, so that no orders pile up on a busy machine.
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }
}

/** Waits until everything that was ordered is shipped. */
export async function allShipped(database: string, ids: readonly string[], patience = 90_000): Promise<void> {
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  try {
    let missing: string[] = [];
    await until(
      async () => {
        const query = 'SELECT id FROM orders WHERE id = ANY($1) AND shipped = 1';
        const { rows } = await client.query<{ id: string }>(query, [ids]);
        const shipped = new Set(rows.map(({ id }) => id));
        missing = ids.filter((id) => !shipped.has(id));
        return missing.length === 0;
      },
      () => `all ${ids.length} orders are shipped; missing: ${missing.slice(0, 10).join(', ')}`,
      patience,
    );
  } finally {
    await client.end();
  }
}
