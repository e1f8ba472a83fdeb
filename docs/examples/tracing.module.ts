import { Module } from '@nestjs/common';
import { TaskQueueModule } from 'nestjs-task-queue';
import { TaskTelemetryModule } from 'nestjs-task-queue/telemetry';

@Module({
  imports: [TaskQueueModule.forRoot({ connection: 'redis://localhost:6379' }), TaskTelemetryModule.forRoot()],
})
export class AppModule {}
