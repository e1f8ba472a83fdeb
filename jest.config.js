/**
 * The settings of every project: native ESM, and TypeScript through swc (esbuild and tsx emit no decorator metadata).
 */
const shared = {
  testEnvironment: '<rootDir>/test/support/open-handles.js',
  // With `lib`, because the coverage would leave out files without a test.
  roots: ['<rootDir>/lib', '<rootDir>/test', '<rootDir>/sample/test'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': '@swc/jest',
    '^.+\\.cts$': ['@swc/jest', { module: { type: 'commonjs' } }],
  },
  moduleFileExtensions: ['js', 'mjs', 'cjs', 'ts', 'cts', 'json', 'node'],
  moduleNameMapper: {
    '^nestjs-task-queue$': '<rootDir>/lib/index.ts',
    '^nestjs-task-queue/metrics$': '<rootDir>/lib/metrics/index.ts',
    '^nestjs-task-queue/dashboard$': '<rootDir>/lib/dashboard/index.ts',
    '^nestjs-task-queue/health$': '<rootDir>/lib/health/index.ts',
    '^nestjs-task-queue/testing$': '<rootDir>/lib/testing/index.ts',
    '^nestjs-task-queue/testing/matchers$': '<rootDir>/lib/testing/matchers.ts',
    '^nestjs-task-queue/telemetry$': '<rootDir>/lib/telemetry/index.ts',
  },
  resolver: '<rootDir>/test/support/resolver.js',
};

/**
 * A project is a folder of `test/`, or the tests of the sample. Its global setup prepares programs and servers before the first test.
 *
 * @param {string} name
 */
const project = (name) => ({
  ...shared,
  displayName: name,
  testMatch: [`<rootDir>/test/${name}/**/*.test.ts`],
  globalSetup: '<rootDir>/test/support/global-setup.js',
});

export default {
  projects: [
    project('unit'),
    { ...project('sample'), testMatch: ['<rootDir>/sample/test/**/*.test.ts'] },
    project('http'),
    project('contract'),
    project('limits'),
    project('types'),
    project('e2e'),
    project('faults'),
    project('package'),
    project('matrix'),
    project('orms'),
  ],
  testTimeout: 30_000,
  // All cores, because the tests wait more than they compute.
  maxWorkers: '100%',
  workerIdleMemoryLimit: '1GB',
  coverageProvider: 'v8',
  collectCoverageFrom: ['lib/**/*.ts'],
};
