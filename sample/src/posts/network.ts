import { Injectable } from '@nestjs/common';
import { Outside } from '../outside/outside.js';

export interface Publication {
  token: string;
  text: string;
  /** The network stores one message for a key, however often the call is repeated. */
  key: string;
}

export interface Message {
  id: number;
  text: string;
  at: string;
}

/** The interface of the social network. */
@Injectable()
export class Network {
  constructor(private readonly outside: Outside) {}

  /** @returns the secret that lets the sample post for the member */
  async join(name: string): Promise<string> {
    const answer = await this.send('members', { name });
    return ((await answer.json()) as { token: string }).token;
  }

  publish({ token, text, key }: Publication, signal: AbortSignal): Promise<Response> {
    return this.send('posts', { text }, { authorization: `Bearer ${token}`, 'idempotency-key': key }, signal);
  }

  /** The messages of a member, as everybody sees them. */
  async messagesOf(name: string): Promise<Message[]> {
    const answer = await fetch(`${await this.outside.socialNetwork()}/${encodeURIComponent(name)}`);
    return (await answer.json()) as Message[];
  }

  private async send(path: string, body: object, headers = {}, signal?: AbortSignal): Promise<Response> {
    return fetch(`${await this.outside.socialNetwork()}/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      ...(signal && { signal }),
    });
  }
}
