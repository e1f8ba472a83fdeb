import type Sqlite from 'libsql';
import { join } from 'node:path';
import { DATA_FOLDER, openSqlite } from '../database/open-sqlite.js';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS member (token TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS call (id INTEGER PRIMARY KEY, token TEXT NOT NULL, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS message (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL, text TEXT NOT NULL, at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS mail (
  id INTEGER PRIMARY KEY, message_id TEXT NOT NULL, recipient TEXT NOT NULL, subject TEXT NOT NULL, text TEXT NOT NULL, at TEXT NOT NULL,
  UNIQUE (message_id, recipient)
);
CREATE TABLE IF NOT EXISTS postponed (recipient TEXT PRIMARY KEY);
`;

/** What the services outside remember. It is a file of its own, because it outlives each process of the sample. */
export const MEMORY_FILE = join(DATA_FOLDER, 'outside.db');

export type Memory = InstanceType<typeof Sqlite>;

export function openMemory(file: string = MEMORY_FILE): Memory {
  return openSqlite(file, SCHEMA);
}
