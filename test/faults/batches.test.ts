import { runScenarios } from './support/run-scenarios.js';

runScenarios('batches');
