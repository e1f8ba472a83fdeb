import { Task, TaskContext, TaskProcessor } from 'nestjs-task-queue';
import { parse } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { readSpreadsheet } from '../spreadsheets/read-spreadsheet.js';
import { workbook } from '../spreadsheets/workbook.js';
import { type FileLink, VisitorStore } from '../visitors/visitor-store.js';
import { madeUpPeople } from './made-up-people.js';
import { PeopleTable, type RefusedRow } from './people-table.js';
import { PERSON_COLUMNS } from './person.js';

export interface ImportReport {
  imported: number;
  refused: number;
  /** The first 100 refused rows. All of them are in the file, because a result should be small. */
  examples: { row: number; text: string; problems: string[] }[];
  cleaned: FileLink;
  toCorrect: FileLink | null;
}

export interface ExportReport {
  rows: number;
  file: FileLink;
}

/** Milliseconds for each percent of a table. They stand for a database, so that the progress can be watched. */
const PACE = 20;

@TaskProcessor({ queue: 'people', timeout: '10m' })
export class PeopleTasks {
  constructor(
    private readonly task: TaskContext,
    private readonly store: VisitorStore,
  ) {}

  /**
   * Checks an uploaded spreadsheet row by row. One workbook gets the good rows, another the bad rows with the reasons.
   */
  @Task()
  async import(visitor: string, fileId: string): Promise<ImportReport> {
    const { signal } = this.task;
    const upload = await this.store.find(visitor, fileId);
    const { name } = parse(upload.name);
    const table = new PeopleTable(await readSpreadsheet(upload.path, signal));
    const refused: RefusedRow[] = [];

    const good = workbook(PERSON_COLUMNS, this.goodRows(table, refused));
    const cleaned = await this.store.save(visitor, `${name}-cleaned.xlsx`, good, signal);
    const bad = refused.length > 0 ? workbook(...table.toCorrect(refused)) : null;
    const toCorrect = bad && (await this.store.save(visitor, `${name}-to-correct.xlsx`, bad, signal));

    return {
      imported: table.rows.length - refused.length,
      refused: refused.length,
      examples: refused.slice(0, 100).map(({ number, text, problems }) => ({ row: number, text, problems })),
      cleaned,
      toCorrect,
    };
  }

  /** Writes a workbook with `rows` made-up people. */
  @Task()
  async export(visitor: string, rows: number): Promise<ExportReport> {
    const content = workbook(PERSON_COLUMNS, this.counted(madeUpPeople(rows), rows));
    return { rows, file: await this.store.save(visitor, `people-${rows}.xlsx`, content, this.task.signal) };
  }

  /** Yields the people of the good rows, and adds the other rows to `refused`. */
  private async *goodRows(table: PeopleTable, refused: RefusedRow[]) {
    for await (const row of this.counted(table.rows, table.rows.length)) {
      const checked = table.check(row);
      if ('person' in checked) yield checked.person;
      else refused.push(checked);
    }
  }

  /** Yields all rows, and reports the progress a hundred times. */
  private async *counted<Row>(rows: Iterable<Row>, total: number): AsyncGenerator<Row> {
    const step = Math.ceil(total / 100);
    let current = 0;
    for (const row of rows) {
      if (current % step === 0) {
        await this.task.progress(current, total);
        await setTimeout(PACE, undefined, { signal: this.task.signal });
      }
      yield row;
      current += 1;
    }
    await this.task.progress(total, total);
  }
}
