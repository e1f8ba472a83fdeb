import { describe, expect, it } from '@jest/globals';
import { forwardRef } from '@nestjs/common';
import { ConfigurationError, getTasksToken, InjectTasks } from 'nestjs-task-queue';
import { INJECTED_SOURCES, type InjectedSource } from '../../../lib/producers/injected-sources.js';

class Reports {}

describe('the sources that @InjectTasks() injects', () => {
  it('are listed once, with the token that tests override', () => {
    InjectTasks(Reports);
    InjectTasks(Reports);
    const found = [...INJECTED_SOURCES].filter(({ resolve }) => resolve() === Reports);
    expect(found).toMatchObject([{ token: getTasksToken(Reports), isForward: false }]);
  });

  it('are told to applications that run, until they stop following', () => {
    const told: InjectedSource[] = [];
    const unfollow = INJECTED_SOURCES.follow((source) => told.push(source));
    class Later {}
    InjectTasks(Later);
    unfollow();
    class TooLate {}
    InjectTasks(TooLate);
    expect(told.map(({ resolve }) => resolve())).toEqual([Later]);
  });

  it('may be forward references, which are resolved later', () => {
    let target: typeof Reports | undefined;
    const reference = forwardRef(() => target);
    InjectTasks(reference);
    const source = [...INJECTED_SOURCES].at(-1);
    expect([source?.isForward, source?.resolve()]).toEqual([true, undefined]);
    target = Reports;
    expect(source?.resolve()).toBe(Reports);
  });

  it('must be defined: an error names the cure for files that import each other', () => {
    const inject = () => InjectTasks(undefined as never);
    expect(inject).toThrow(ConfigurationError);
    expect(inject).toThrow('@InjectTasks(forwardRef(() => ReportTasks))');
  });
});
