import { UnprocessableEntityException } from '@nestjs/common';

/**
 * What is wrong with somebody's spreadsheet, in words for them. Being one of Nest's HTTP exceptions, its message reaches
 * the page from a controller and from a task alike, in production too.
 */
export class SpreadsheetError extends UnprocessableEntityException {}
