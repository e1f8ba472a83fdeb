/** An application whose isolated tasks are declared in the less usual ways of Nest. Its children boot it too. */
import 'reflect-metadata';
import { fileURLToPath } from 'node:url';
import {
  Injectable,
  Module,
  Scope,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
  type OnModuleInit,
} from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import { getTaskContext, Task, TaskContext, TaskQueueModule, type TaskQueueOptions } from 'nestjs-task-queue';

class UserGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return getTaskContext(context).headers['user'] !== undefined;
  }
}

export abstract class Renderer {
  @UseGuards(UserGuard)
  @Task({ queue: 'corners', isolate: true })
  async render(page: number): Promise<{ drawn: string; pid: number }> {
    return { drawn: this.draw(page), pid: process.pid };
  }

  protected abstract draw(page: number): string;
}

/** Overrides the method of the task, which keeps its guard. */
@Injectable()
class PdfRenderer extends Renderer {
  override async render(page: number): Promise<{ drawn: string; pid: number }> {
    const { drawn, pid } = await super.render(page);
    return { drawn: `${drawn}!`, pid };
  }

  protected draw(page: number): string {
    return `page ${page}`;
  }
}

/** How many instances this process has made. */
let made = 0;

@Injectable({ scope: Scope.REQUEST })
export class PerRun {
  private readonly number = ++made;

  constructor(private readonly task: TaskContext) {}

  @Task({ queue: 'corners', isolate: true })
  instance(): { number: number; id: string; pid: number } {
    return { number: this.number, id: this.task.id, pid: process.pid };
  }
}

@Injectable()
export class LaterTasks {
  @Task({ queue: 'corners', isolate: true })
  place(): number {
    return process.pid;
  }
}

/** Had another name before. */
@Injectable()
export class Posters {
  @Task({ queue: 'corners', isolate: true, aliases: ['OldPosters.print'] })
  print(title: string): { title: string; pid: number } {
    return { title, pid: process.pid };
  }
}

@Module({ providers: [LaterTasks] })
class LaterModule {}

/** Loads a module while the application starts, in the parent and in each child. */
@Injectable()
class Loader implements OnModuleInit {
  constructor(private readonly loader: LazyModuleLoader) {}

  async onModuleInit(): Promise<void> {
    await this.loader.load(() => LaterModule);
  }
}

/** The place of the tasks is in the environment, which children inherit. */
async function optionsOfEnvironment(): Promise<TaskQueueOptions> {
  const place = JSON.parse(process.env['CORNERS'] ?? '{}') as TaskQueueOptions;
  return { ...place, isolation: { app: fileURLToPath(import.meta.url), export: 'AppModule', processes: 1 } };
}

@Module({
  imports: [TaskQueueModule.forRootAsync({ useFactory: optionsOfEnvironment })],
  providers: [{ provide: Renderer, useFactory: () => new PdfRenderer() }, PerRun, Posters, Loader],
})
export class AppModule {}
