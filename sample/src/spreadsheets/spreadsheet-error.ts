import { UnprocessableEntityException } from '@nestjs/common';

/**
 * A problem with a visitor's spreadsheet. The message is written for the visitor. The class extends one of Nest's HTTP
 * exceptions, so the message reaches the page from a controller and from a task, also in production.
 */
export class SpreadsheetError extends UnprocessableEntityException {}
