import { defineTask, OnTask, Task, type TaskEvent, type TaskEventType, type TaskStatus } from 'nestjs-task-queue';
import { expectType, typeTest, type Equal } from '../support/type-test.js';

class Reports {
  @Task()
  build(): void {}
}
abstract class Mailer {
  abstract send(): void;
}
const charge = defineTask<(cents: number) => void>('billing.charge');

typeTest('@OnTask() compiles on a method that accepts its events', () => {
  class Fine {
    @OnTask('failed')
    exact(_event: TaskEvent<'failed'>): void {}

    @OnTask('failed')
    wider(_event: TaskEvent): void {}

    @OnTask(['failed', 'cancelled'], { task: Reports, queue: 'mail' })
    several(_event: TaskEvent<'failed' | 'cancelled'>): void {}

    @OnTask('succeeded', { task: charge })
    async without(): Promise<void> {}

    @OnTask('lost', { task: 'Reports.build' })
    some({ id, wait }: { id: string; wait: number | null }): string {
      return `${id} ${wait}`;
    }

    @OnTask('enqueued', { task: Mailer })
    private hidden(_event: TaskEvent<'enqueued'>): void {}
  }
  return Fine;
});

typeTest('@OnTask() does not compile on a method that does not accept its events', () => {
  class Wrong {
    // @ts-expect-error -- the method does not accept `failed`
    @OnTask('failed')
    other(_event: TaskEvent<'succeeded'>): void {}

    // @ts-expect-error -- the method does not accept `cancelled`
    @OnTask(['failed', 'cancelled'])
    fewer(_event: TaskEvent<'failed'>): void {}

    // @ts-expect-error -- `started` has no error
    @OnTask('started')
    error(_event: { error: { message: string } }): void {}

    // @ts-expect-error -- there is one parameter
    @OnTask('failed')
    two(_event: TaskEvent<'failed'>, _more: string): void {}

    // @ts-expect-error -- there is no such event
    @OnTask('fail')
    unknown(): void {}

    // @ts-expect-error -- there is no such filter
    @OnTask('failed', { name: 'Reports.build' })
    filtered(): void {}

    // @ts-expect-error -- a property is no method
    @OnTask('failed')
    readonly property = 1;
  }
  return Wrong;
});

typeTest('an event is told apart by its type', () => {
  return (event: TaskEvent) => {
    expectType<Equal<(typeof event)['type'], TaskEventType>>();
    expectType<Equal<(typeof event)['status'], TaskStatus>>();
    expectType<Equal<(typeof event)['duration'], number | null>>();
    // @ts-expect-error -- not every event has an error
    void event.error.message;
    void event.error?.message;
    switch (event.type) {
      case 'failed':
        return event.error.message;
      case 'started':
        expectType<Equal<typeof event.wait, number>>();
        return event.duration satisfies null;
      case 'enqueued':
        return event.wait satisfies null;
      case 'retrying':
        expectType<Equal<typeof event.duration, number>>();
        return event.error?.code;
      default:
        return event.id;
    }
  };
});
