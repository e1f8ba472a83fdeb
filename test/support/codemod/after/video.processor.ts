import { Task, TaskContext, TaskProcessor } from 'nestjs-task-queue';

// TODO(codemod): the options of the worker belong into TaskQueueModule.forRoot({ queues: { … } }): { concurrency: 2 }
@TaskProcessor('video')
export class VideoProcessor {
  static readonly disk = { isFull: true };

  constructor(private readonly task: TaskContext) {}

  // One file at a time, page by page.
  @Task({ name: 'transcode', aliases: ['transcode-again'], accepts: 'job' })
  async process(data: { path: string; pages: number }): Promise<{ path: string }> {
    if (VideoProcessor.disk.isFull) {
      VideoProcessor.disk.isFull = false;
      this.task.retry({ in: 50 });
    }
    for (let page = 1; page <= data.pages; page++) await this.task.progress((page * 100) / data.pages);
    return { path: `${data.path}.mp4` };
  }

  // TODO(codemod): no event of this package stands for "progress". See @OnTask().
  // @OnWorkerEvent('progress')
  // onProgress(job: Job, progress: number) {
  //   console.log(`${job.id}: ${progress} %`);
  // }
}
