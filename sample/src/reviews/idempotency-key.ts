import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';

/** The header `Idempotency-Key`: a client that gets no answer sends its request again with the same key. */
export const IdempotencyKey = createParamDecorator(
  (_: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<Request>().headers['idempotency-key'],
);
