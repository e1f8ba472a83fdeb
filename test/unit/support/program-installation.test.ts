import { describe, expect, test } from '@jest/globals';
import { decideInstallation, describeFailure, type Program } from '../../support/program-installation.js';
import { programsOf } from '../../support/programs.js';

const redis: Program = {
  names: ['redis-server', 'valkey-server'],
  aptPackages: ['redis-server'],
  instead: 'You can name a server instead: TEST_REDIS_URL.',
};
const postgres: Program = { names: ['postgres'], aptPackages: ['postgresql'] };
const initdb: Program = { names: ['initdb'], aptPackages: ['postgresql'] };
const missing = [redis, postgres, initdb];

describe('decideInstallation', () => {
  test.each([{}, { CI: 'true' }, { TASK_QUEUE_TEST_INSTALL: '1' }])(
    'continues when no program is missing: %j',
    (environment) => {
      expect(decideInstallation([], environment)).toEqual({ action: 'continue' });
    },
  );

  test.each([{ CI: 'true' }, { CI: '1' }, { TASK_QUEUE_TEST_INSTALL: '1' }])(
    'installs each package once when the environment requests it: %j',
    (environment) => {
      const decision = decideInstallation(missing, environment);
      expect(decision).toEqual({
        action: 'install',
        packages: ['redis-server', 'postgresql'],
        message:
          'Installing redis-server postgresql through apt-get, because the tests need redis-server or valkey-server, postgres, initdb.',
      });
    },
  );

  test.each([
    {},
    { CI: '' },
    { CI: 'false' },
    { CI: '0' },
    { TASK_QUEUE_TEST_INSTALL: '' },
    { TASK_QUEUE_TEST_INSTALL: '0' },
  ])('stops when the environment does not request an installation: %j', (environment) => {
    expect(decideInstallation(missing, environment)).toMatchObject({ action: 'stop' });
  });

  test('the message of a stop names the programs, both commands and the variable that replaces a program', () => {
    expect(decideInstallation(missing, {})).toMatchObject({
      message: [
        'The tests need programs that are not on PATH: redis-server or valkey-server, postgres, initdb.',
        'The run can install them: npm test -- --install (in other commands: TASK_QUEUE_TEST_INSTALL=1)',
        "You can install them by hand: sudo apt-get install redis-server postgresql (or your system's equivalent)",
        'You can name a server instead: TEST_REDIS_URL.',
      ].join('\n'),
    });
  });
});

test('describeFailure names the programs that apt-get could not install, and the command to run by hand', () => {
  expect(describeFailure([initdb])).toBe(
    'The tests need programs that apt-get could not install: initdb.\n' +
      "You can install them by hand: sudo apt-get install postgresql (or your system's equivalent)",
  );
});

describe('programsOf', () => {
  test.each(['faults'])('the project %s starts servers of its own, whatever the environment names', (project) => {
    const servers = { TEST_REDIS_URL: 'redis://host', TEST_POSTGRES_URL: 'postgres://host' };
    expect(programsOf(project, servers)).toEqual([
      'redis',
      'postgres',
      'initdb',
      'openssl',
      'pg_basebackup',
      'pgbouncer',
    ]);
  });

  test.each([
    ['contract', ['mariadb', 'mariadb-install-db']],
    ['limits', []],
    ['matrix', []],
  ])('the project %s starts only the servers that the environment does not name', (project, own) => {
    expect(programsOf(project, {})).toEqual(['redis', 'postgres', 'initdb', ...own]);
    expect(programsOf(project, { TEST_REDIS_URL: 'redis://host' })).toEqual(['postgres', 'initdb', ...own]);
    expect(programsOf(project, { TEST_POSTGRES_URL: 'postgres://host' })).toEqual(['redis', ...own]);
  });

  test('the project e2e starts a browser unless CHROMIUM_PATH names one', () => {
    expect(programsOf('e2e', {})).toContain('chromium');
    expect(programsOf('e2e', { CHROMIUM_PATH: '/opt/chromium' })).not.toContain('chromium');
  });

  test.each(['types', 'package'])('the project %s starts no program', (project) => {
    expect(programsOf(project, {})).toEqual([]);
  });
});
