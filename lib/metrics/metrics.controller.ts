import { Controller, Get, Inject, Req, Res, UseGuards, VERSION_NEUTRAL, type Type } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { HttpExchange } from '../http/http-exchange.js';
import type { HttpRequest } from '../http/http-options.js';
import type { TaskMetricsExtras } from './metrics-options.js';
import { TaskMetrics } from './task-metrics.js';

/**
 * Makes a controller class for one module, so that modules with different paths and guards do not share a class. The handler sends the
 * text itself: an interceptor of the application that wraps return values would spoil it.
 */
export function createMetricsController({ path = 'metrics', guards = [] }: TaskMetricsExtras): Type {
  @Controller({ path: path || [], version: VERSION_NEUTRAL })
  @UseGuards(...guards)
  class TaskMetricsController {
    constructor(
      @Inject(TaskMetrics) private readonly metrics: TaskMetrics,
      @Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost,
    ) {}

    @Get()
    async get(@Req() request: HttpRequest, @Res() response: unknown): Promise<void> {
      const body = await this.metrics.text();
      const headers = { 'Content-Type': this.metrics.contentType, 'Cache-Control': 'no-store' };
      new HttpExchange(this.adapterHost.httpAdapter, request, response).answer({ status: 200, headers, body });
    }
  }
  return TaskMetricsController;
}
