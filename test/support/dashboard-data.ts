import { Injectable } from '@nestjs/common';
import {
  chain,
  chord,
  group,
  Schedule,
  Task,
  TaskContext,
  TaskProcessor,
  type TaskAdmin,
  type TaskQueue,
} from 'nestjs-task-queue';
import { Gate } from './gate.js';

/** What tries to be more than text on a page. */
export const HOSTILE =
  '<img src=x onerror="document.title=1"><script>window.hacked=1</script>\u202Egnp.exe \u2066مرحبا\u2069';

/** Tasks that run until the test lets them. */
export class Holds {
  readonly gate = new Gate();
}

class SmtpError extends Error {
  override readonly name = 'SmtpError';
}

@Injectable()
@TaskProcessor({ queue: 'mail' })
export class MailTasks {
  constructor(private readonly task: TaskContext) {}

  @Task()
  welcome(to: string): string {
    return `sent to ${to}`;
  }

  @Task({ retries: 1, backoff: { type: 'fixed', delay: 5 } })
  async receipt(order: number, text = ''): Promise<void> {
    await this.task.log(`order ${order}: connecting ${text}`);
    await this.task.log('the server does not answer', 'warn');
    throw new SmtpError(`connect ECONNREFUSED 10.0.4.${order % 200}:25 ${text}`);
  }
}

@Injectable()
export class ReportTasks {
  constructor(
    private readonly task: TaskContext,
    private readonly holds: Holds,
  ) {}

  @Task({ queue: 'reports' })
  async build(month: string, _options: object): Promise<object> {
    for (let sheet = 1; sheet <= 12; sheet++) {
      await this.task.progress({ current: sheet, total: 18, message: `Sheet ${sheet} of 18` });
      await this.task.log(`Sheet ${sheet} of 18 of ${month}`);
    }
    await this.holds.gate.opened;
    return { month, rows: 90_000 };
  }

  @Task({ queue: 'catalogue' })
  load(): number[] {
    return [1, 2, 3];
  }

  @Task({ queue: 'catalogue' })
  resize(number: number): number {
    return number;
  }

  @Task({ queue: 'catalogue' })
  translate(): never {
    throw new Error('0 of 500,000 characters left');
  }

  @Task({ queue: 'catalogue' })
  index(): string {
    return 'indexed';
  }

  @Task({ queue: 'exports' })
  @Schedule('30 2 * * *', { id: 'nightly-report', timezone: 'Europe/Berlin' })
  nightly(): void {}
}

/** Enqueues something for each view. Resolves once everything has come to rest. */
export async function fillDashboard(queue: TaskQueue, admin: TaskAdmin) {
  const mails = queue.of(MailTasks);
  const reports = queue.of(ReportTasks);
  const good = await Promise.all(
    Array.from({ length: 40 }, (_, at) =>
      mails.welcome.with({ headers: { owner: String(at % 5) } }).enqueue(`user${at}@example.com`),
    ),
  );
  const bad = await Promise.all(Array.from({ length: 12 }, (_, at) => mails.receipt.enqueue(90_000 + at)));
  const hostile = await mails.receipt
    .with({ headers: { owner: '7', note: 'a <b>header</b>' } })
    .enqueue(7, HOSTILE + 'x'.repeat(1_000_000));
  const running = await reports.build.with({ headers: { owner: '7', tenant: 'north' } }).enqueue('2026-11', {
    format: 'xlsx',
    rows: 90_000,
    apiToken: 'secret-token',
    shops: Array.from({ length: 14 }, (_, at) => `shop ${at}`),
    template: 'T'.repeat(1_000_000),
    html: HOSTILE,
  });
  const later = await mails.welcome.with({ delay: '2h' }).enqueue('later@example.com');
  const done = await queue.enqueue(
    chain(
      reports.load.signature(),
      group(Array.from({ length: 6 }, (_, at) => reports.resize.signature(at))) as never,
      reports.index.signature() as never,
    ) as never,
  );
  const failed = await queue.enqueue(
    chord(
      [reports.resize.signature(1), reports.translate.signature()] as never,
      reports.index.signature() as never,
    ) as never,
  );
  await Promise.allSettled([...good, ...bad, hostile, done, failed].map((handle) => handle.result()));
  await admin.pause('exports', { by: 'ada', reason: 'price change goes out first' });
  await reports.nightly.enqueue();
  return {
    hostile,
    running,
    later,
    done,
    failed,
    good: good[0] as NonNullable<(typeof good)[0]>,
    bad: bad[0] as NonNullable<(typeof bad)[0]>,
  };
}
