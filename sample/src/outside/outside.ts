import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { type Memory, openMemory } from './memory.js';
import { startMailServer } from './mail-server.js';
import { startQuoteService } from './quote-service.js';
import { startSocialNetwork } from './social-network.js';
import type { StandIn } from './stand-in.js';

/**
 * The addresses of the services outside. The environment names real ones; for each of the others, this process starts a stand-in
 * when it needs it first. The stand-ins of all processes share one memory.
 */
@Injectable()
export class Outside implements OnApplicationShutdown {
  private readonly standIns = new Map<string, Promise<StandIn>>();
  private opened: Memory | undefined;

  /** A server for mail: `smtp://user:password@host:587` */
  mailServer(): Promise<string> {
    return this.urlOf('SMTP_URL', () => startMailServer(this.memory));
  }

  socialNetwork(): Promise<string> {
    return this.urlOf('NETWORK_URL', () => startSocialNetwork(this.memory));
  }

  quotes(): Promise<string> {
    return this.urlOf('QUOTES_URL', startQuoteService);
  }

  /** What the stand-ins remember, for the pages that show it. */
  get memory(): Memory {
    return (this.opened ??= openMemory());
  }

  async onApplicationShutdown(): Promise<void> {
    const standIns = await Promise.all(this.standIns.values());
    await Promise.all(standIns.map((standIn) => standIn.close()));
    this.opened?.close();
  }

  private async urlOf(variable: string, start: () => Promise<StandIn>): Promise<string> {
    const real = process.env[variable];
    if (real) return real;
    const standIn = this.standIns.get(variable) ?? start();
    this.standIns.set(variable, standIn);
    return (await standIn).url;
  }
}
