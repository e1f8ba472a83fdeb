import { Body, Controller, Get, Header, Post, StreamableFile, UploadedFile, UseInterceptors } from '@nestjs/common';
import { FileInterceptor } from '@nestjs/platform-express';
import { InjectTasks, type TaskHandle, type Tasks } from 'nestjs-task-queue';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { SpreadsheetPipe } from '../spreadsheets/spreadsheet.pipe.js';
import { Visitor } from '../visitors/visitor.js';
import { type Upload, VisitorStore } from '../visitors/visitor-store.js';
import { exampleFile } from './example-file.js';
import { type ExportReport, type ImportReport, PeopleTasks } from './people.tasks.js';

const exportRequest = z.object({ rows: z.int().min(1).max(200_000) });

/** Every method answers at once. Long work is a task, and the page gets its status from `/tasks/<id>`. */
@Controller('people')
export class PeopleController {
  constructor(
    @InjectTasks(PeopleTasks) private readonly people: Tasks<PeopleTasks>,
    private readonly store: VisitorStore,
  ) {}

  @Post('imports')
  @UseInterceptors(FileInterceptor('file'))
  async import(
    @Visitor() visitor: string,
    @UploadedFile(SpreadsheetPipe) upload: Upload,
  ): Promise<TaskHandle<ImportReport>> {
    const file = await this.store.keep(visitor, upload);
    return this.people.import.with({ headers: { visitor } }).enqueue(visitor, file.id);
  }

  @Post('exports')
  async export(
    @Visitor() visitor: string,
    @Body({ schema: exportRequest }) { rows }: z.infer<typeof exportRequest>,
  ): Promise<TaskHandle<ExportReport>> {
    return this.people.export.with({ headers: { visitor } }).enqueue(visitor, rows);
  }

  @Get('example.xlsx')
  @Header('Content-Disposition', 'attachment; filename="people-example.xlsx"')
  @Header('Content-Type', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet')
  example(): StreamableFile {
    return new StreamableFile(Readable.fromWeb(exampleFile()));
  }
}
