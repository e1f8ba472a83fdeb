/** Writes the alert rules and the dashboard. A test compares the stored files with what this makes. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { monitoringFiles } from './files.js';

const folder = fileURLToPath(new URL('../../monitoring/', import.meta.url));
mkdirSync(folder, { recursive: true });
for (const [name, text] of Object.entries(monitoringFiles())) writeFileSync(folder + name, text);
