import { OnWorkerEvent, Processor, WorkerHost } from '@nestjs/bullmq';
import { DelayedError, Job } from 'bullmq';

@Processor({ name: 'video' }, { concurrency: 2 })
export class VideoProcessor extends WorkerHost {
  static readonly disk = { isFull: true };

  // One file at a time, page by page.
  async process(
    job: Job<{ path: string; pages: number }, { path: string }>,
    token?: string,
  ): Promise<{ path: string }> {
    const { data } = job;
    if (VideoProcessor.disk.isFull) {
      VideoProcessor.disk.isFull = false;
      await job.moveToDelayed(Date.now() + 50, token);
      throw new DelayedError();
    }
    for (let page = 1; page <= data.pages; page++) await job.updateProgress((page * 100) / data.pages);
    return { path: `${data.path}.mp4` };
  }

  @OnWorkerEvent('progress')
  onProgress(job: Job, progress: number) {
    console.log(`${job.id}: ${progress} %`);
  }
}
