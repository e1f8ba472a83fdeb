import { Controller, Get, Param, ParseUUIDPipe, Res, StreamableFile } from '@nestjs/common';
import type { Response } from 'express';
import { createReadStream } from 'node:fs';
import { Visitor } from './visitor.js';
import { VisitorStore } from './visitor-store.js';

@Controller('files')
export class FilesController {
  constructor(private readonly store: VisitorStore) {}

  /** A file of the visitor's own, as a download. */
  @Get(':id')
  async download(
    @Visitor() visitor: string,
    @Param('id', ParseUUIDPipe) id: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<StreamableFile> {
    const file = await this.store.find(visitor, id);
    response.attachment(file.name).setHeader('Cache-Control', 'private, no-store');
    return new StreamableFile(createReadStream(file.path));
  }
}
