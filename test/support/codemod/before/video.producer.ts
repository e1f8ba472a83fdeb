import { InjectQueue } from '@nestjs/bullmq';
import { Injectable } from '@nestjs/common';
import { Queue } from 'bullmq';

@Injectable()
export class VideoProducer {
  constructor(@InjectQueue('video') private readonly videos: Queue) {}

  async upload(path: string): Promise<void> {
    await this.videos.add('transcode', { path, pages: 4 }, { attempts: 3 });
  }

  async again(paths: string[]): Promise<void> {
    await this.videos.addBulk(paths.map((path) => ({ name: 'transcode-again', data: { path, pages: 2 } })));
  }
}
