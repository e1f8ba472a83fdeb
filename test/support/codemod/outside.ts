import { Injectable } from '@nestjs/common';

/** What the processors of this folder call. It remembers the calls. */
@Injectable()
export class Outside {
  readonly calls: unknown[][] = [];

  async call(...what: unknown[]): Promise<string> {
    this.calls.push(what);
    return `${String(what[0])} ${this.calls.length}`;
  }
}
