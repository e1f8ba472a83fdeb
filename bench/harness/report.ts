import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { findProgram } from '../../test/support/programs.js';
import type { Row } from './compare.js';

const results = new URL('../RESULTS.md', import.meta.url);

/** The section of one comparison in RESULTS.md. */
export interface Section {
  /** The name of the comparison on the command line. */
  readonly name: string;
  /** What the contenders do, and what is measured. */
  readonly about: string;
  readonly rows: readonly Row[];
  /** The duration of the comparison in seconds. */
  readonly took: number;
}

const HEAD = ['what', 'ours', 'peer', 'ratio', 'must be', 'met'] as const;

export function table(rows: readonly Row[]): string {
  const cells = rows.map(({ what, ours, peer, ratio, must, met }) => [
    what,
    ours,
    peer,
    ratio,
    must,
    met === undefined ? '' : met ? 'yes' : 'NO',
  ]);
  const widths = HEAD.map((head, column) => Math.max(head.length, ...cells.map((row) => row[column].length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  return [line(HEAD), line(widths.map((width) => '-'.repeat(width))), ...cells.map(line)].join('\n');
}

/** The oldest supported version of Node. Results of other versions get sections of their own. */
const OLDEST = 20;

/** Replaces a section of `RESULTS.md`. The other sections stay as they were measured. */
export function record(section: Section, order: readonly string[]): void {
  const sections = new Map(read());
  const [major] = process.versions.node.split('.');
  const heading = Number(major) === OLDEST ? section.name : `${section.name}, Node ${major}`;
  const load = loadavg()[0]?.toFixed(1);
  const when = new Date().toISOString().slice(0, 16).replace('T', ' ');
  sections.set(
    heading,
    `${section.about}\n\n${table(section.rows)}\n\n${when} UTC, ${section.took.toFixed(0)} s, load ${load}, ${machine()}.`,
  );
  const headings = order.flatMap((name) =>
    [...sections.keys()].filter((known) => known.split(',')[0] === name).toSorted(),
  );
  const parts = headings.map((known) => `## ${known}\n\n${sections.get(known)}\n`);
  writeFileSync(results, `${INTRODUCTION}\n${parts.join('\n')}`);
}

/** Reads the heading and the text of each section. */
function read(): [string, string][] {
  if (!existsSync(results)) return [];
  const parts = readFileSync(results, 'utf8').split(/^## /m).slice(1);
  return parts.map((part) => {
    const end = part.indexOf('\n');
    return [part.slice(0, end), part.slice(end).trim()];
  });
}

const INTRODUCTION = `# Results

\`npm run bench\` writes this page. Each contender works in a process of its own, in turn with its peer, for several rounds
after one to warm up; times below a millisecond in many short rounds of several processes. Figures are medians. A ratio is our figure divided by the figure of the peer: the median of the
ratios of all rounds, with the smallest and the largest ratio. The processor time is the time of the measured process,
divided by the time of its peer. Absolute figures depend on the machine. Redis runs without persistence, PostgreSQL with its
defaults, so everything that it acknowledged is on the disk. The figures come from the oldest supported version of Node,
unless the heading of a section names another version.
`;

function machine(): string {
  const [processor] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} × ${processor?.model.trim()}, ${memory} GB, Linux ${release()}, ${versions()}`;
}

function versions(): string {
  const packages = ['bullmq', 'ioredis', 'pg', '@nestjs/core', '@nestjs/bullmq'].map(
    (name) => `${name} ${versionOf(name)}`,
  );
  const servers = (['redis', 'postgres'] as const).map((key) => {
    const said = execFileSync(findProgram(key), ['--version'], { encoding: 'utf8' });
    return `${key === 'redis' ? 'Redis' : 'PostgreSQL'} ${/\d+\.\d+(\.\d+)?/.exec(said)?.[0]}`;
  });
  return [`Node ${process.versions.node}`, ...servers, ...packages].join(', ');
}

/** Reads the version from the file, because not every package exports its package.json. */
function versionOf(name: string): string {
  const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
