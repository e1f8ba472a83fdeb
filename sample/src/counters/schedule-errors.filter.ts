import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import type { Response } from 'express';
import { ConfigurationError, ScheduleNotFoundError } from 'nestjs-task-queue';

/** Sends the library's error message to the form. Elsewhere these errors are meant for programmers. */
@Catch(ConfigurationError, ScheduleNotFoundError)
export class ScheduleErrorsFilter implements ExceptionFilter<ConfigurationError | ScheduleNotFoundError> {
  catch(error: ConfigurationError | ScheduleNotFoundError, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>();
    if (error instanceof ScheduleNotFoundError) response.status(404).json({ message: 'There is no such counter.' });
    else response.status(400).json({ message: error.message });
  }
}
