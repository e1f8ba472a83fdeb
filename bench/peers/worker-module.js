/** The module of an application with one task, as the worker command gets it. The file is JavaScript, as built applications are. */
import { Injectable, Module } from '@nestjs/common';
import { Task, TaskQueueModule } from 'nestjs-task-queue';

class Work {
  async do() {}
}
Task()(Work.prototype, 'do', Object.getOwnPropertyDescriptor(Work.prototype, 'do') ?? {});
Injectable()(Work);

export class AppModule {}
Module({ imports: [TaskQueueModule.forRoot()], providers: [Work] })(AppModule);
