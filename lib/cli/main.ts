#!/usr/bin/env node
import 'reflect-metadata';
import { run } from './program.js';
import { processTerminal } from './terminal.js';

void run(process.argv.slice(2), processTerminal()).then((code) => {
  process.exitCode = code;
});
