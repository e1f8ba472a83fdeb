import { Task, TaskProcessor } from 'nestjs-task-queue';

@TaskProcessor('mail')
export class OldMails {
  @Task({ name: 'welcome', accepts: 'job' })
  async welcome(data: { userId: number }): Promise<number> {
    return data.userId;
  }
}
