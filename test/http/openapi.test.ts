import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { describe, expect, test } from '@jest/globals';
import type { HttpOptions } from '../../lib/http/http-options.js';
import { platforms, startApp } from '../support/http-app.js';

async function documentOf(platform: (typeof platforms)[number], http?: false | HttpOptions) {
  let document: ReturnType<typeof SwaggerModule.createDocument> | undefined;
  const { app } = await startApp(platform, {
    http,
    // Applications usually make the document before they start.
    prepare: (created) => {
      created.setGlobalPrefix('api');
      document = SwaggerModule.createDocument(created, new DocumentBuilder().build());
    },
  });
  await app.close();
  return document?.paths ?? {};
}

describe.each(platforms)('the OpenAPI document on %s', (platform) => {
  test('the document describes the endpoint', async () => {
    const paths = await documentOf(platform);
    expect(Object.keys(paths)).toEqual(['/api/tasks/{id}']);
    const { get, delete: cancel } = paths['/api/tasks/{id}'] ?? {};
    expect(get).toMatchObject({
      tags: ['tasks'],
      summary: 'The status of a task',
      parameters: [
        { in: 'path', name: 'id', required: true, schema: { type: 'string' } },
        { in: 'query', name: 'wait', required: false, schema: { type: 'integer', maximum: 60 } },
        { in: 'header', name: 'Prefer' },
        { in: 'header', name: 'If-None-Match' },
        { in: 'header', name: 'Last-Event-ID' },
      ],
      responses: {
        200: {
          content: {
            'application/json': { schema: { properties: { state: { enum: expect.arrayContaining(['succeeded']) } } } },
            'text/event-stream': {},
          },
        },
        304: {},
        404: { content: { 'application/problem+json': {} } },
        429: { headers: { 'Retry-After': {} }, content: { 'application/problem+json': {} } },
        503: { headers: { 'Retry-After': {} }, content: { 'application/problem+json': {} } },
      },
    });
    expect(Object.keys(cancel?.responses ?? {})).toEqual(['200', '202', '404', '503']);
  });

  test('the document leaves out an endpoint that is off, and follows the option path', async () => {
    expect(await documentOf(platform, false)).toEqual({});
    expect(Object.keys(await documentOf(platform, { path: 'jobs' }))).toEqual(['/api/jobs/{id}']);
  });
});
