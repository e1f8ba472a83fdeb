import { trace, type TracerProvider } from '@opentelemetry/api';

/**
 * Whether a provider of traces is registered globally. Until then, the API gives a proxy that has no tracer behind it.
 */
export function hasTracerProvider(): boolean {
  const provider = trace.getTracerProvider() as TracerProvider & { getDelegateTracer?: (name: string) => unknown };
  return !provider.getDelegateTracer || provider.getDelegateTracer('nestjs-task-queue') !== undefined;
}
