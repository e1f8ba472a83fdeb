import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { resolveSettings, VARIABLES, type WorkerFlags } from '../../../lib/supervisor/settings.js';
import { commandLine } from '../../support/command-line.js';

describe('resolveSettings', () => {
  it('has one process, and leaves everything else to the application', () => {
    expect(resolveSettings({}, {})).toEqual({
      queues: undefined,
      queuesFrom: undefined,
      concurrency: undefined,
      processes: 1,
      maxTasks: undefined,
      maxMemory: undefined,
      grace: undefined,
      health: undefined,
      watch: false,
    });
  });

  it('takes options over variables', () => {
    const env = {
      TASK_QUEUE_QUEUES: 'a, b',
      TASK_QUEUE_CONSUME: 'c',
      TASK_QUEUE_PROCESSES: 'auto',
      TASK_QUEUE_MAX_MEMORY: '1.5gb',
      TASK_QUEUE_GRACE: '5m',
      TASK_QUEUE_HEALTH_PORT: '8081',
      TASK_QUEUE_HEALTH_HOST: '0.0.0.0',
      TASK_QUEUE_WATCH: 'true',
    };
    expect(resolveSettings({}, env)).toMatchObject({
      queues: ['a', 'b'],
      queuesFrom: 'TASK_QUEUE_QUEUES',
      maxMemory: 1.5 * 1024 ** 3,
      grace: 300_000,
      health: { host: '0.0.0.0', port: 8081 },
      watch: true,
    });
    expect(resolveSettings({}, env).processes).toBeGreaterThanOrEqual(1);
    expect(resolveSettings({ queues: 'x', processes: '3', grace: '250' }, env)).toMatchObject({
      queues: ['x'],
      queuesFrom: '--queues',
      processes: 3,
      grace: 250,
    });
    expect(resolveSettings({}, { TASK_QUEUE_CONSUME: 'c' })).toMatchObject({
      queues: ['c'],
      queuesFrom: 'TASK_QUEUE_CONSUME',
    });
  });

  it.each<[flags: WorkerFlags, message: string]>([
    [{ queues: ',' }, '--queues is ",". Name the queues'],
    [{ concurrency: '0' }, '--concurrency is "0". Give a whole number, at least 1.'],
    [{ processes: 'many' }, '--processes is "many". Give a number of processes, at least 1, or auto'],
    [{ maxTasks: '1.5' }, '--max-tasks is "1.5".'],
    [{ maxMemory: '512' }, '--max-memory is "512". Give the resident memory of one process, at least 32mb'],
    [{ maxMemory: '1mb' }, '--max-memory is "1mb".'],
    [{ grace: 'long' }, '--grace is "long", which is not a duration.'],
    [{ healthPort: '70000' }, '--health-port is "70000". Give a port'],
  ])('refuses %j', (flags, message) => {
    expect(() => resolveSettings(flags, {})).toThrow(message);
    const [[option, text]] = Object.entries(flags) as [[keyof WorkerFlags, string]];
    const variable = VARIABLES[option];
    expect(() => resolveSettings({}, { [variable]: text })).toThrow(`${variable} is "${text}"`);
  });
});

describe('the help and docs/running.md', () => {
  it.each(Object.entries(VARIABLES))('name the option %s and its variable', async (option, variable) => {
    const flag = `--${option.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    const { code, out } = await commandLine(['worker', '--help']);
    expect(code).toBe(0);
    expect(out).toContain(`  ${flag}`);
    expect(out).toContain(variable);
    const page = readFileSync('docs/running.md', 'utf8');
    expect(page).toMatch(new RegExp(`^\\| \`${flag}[ \`].*\`${variable}\``, 'm'));
  });
});
