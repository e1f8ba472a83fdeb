import { Controller, HttpCode, Post } from '@nestjs/common';
import { InjectTasks, type Tasks } from 'nestjs-task-queue';
import { Visitor } from '../visitors/visitor.js';
import { SlowParts } from './slow-page.tasks.js';

@Controller('slow-page')
export class SlowPageController {
  constructor(@InjectTasks(SlowParts) private readonly parts: Tasks<SlowParts>) {}

  /** Starts both parts of a page and waits for neither. The page follows them by `/tasks/<id>`. */
  @Post()
  @HttpCode(202)
  async begin(@Visitor() visitor: string): Promise<{ weather: string; headlines: string }> {
    const headers = { visitor };
    const [weather, headlines] = await Promise.all([
      this.parts.weather.with({ headers }).enqueue('Hamburg'),
      this.parts.headlines.with({ headers }).enqueue(),
    ]);
    return { weather: weather.id, headlines: headlines.id };
  }
}
