import { runInThisContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { ConfigurationError } from '../../../lib/errors.js';
import { checkClassName } from '../../../lib/tasks/class-name.js';

/** A class as a bundler or a compiler writes it. */
const written = (source: string) => runInThisContext(`(() => { ${source} })()`) as Function;

describe('checkClassName', () => {
  it.each([
    ['a class that tsc or swc wrote', 'return class ReportTasks { build() {} }'],
    ['a short name that nobody minified', 'return class A { build() {} }'],
    ['a name that ends with a digit', 'return class ImportV2 { build() {} }'],
    ['a minified class whose name is kept', 'class ReportTasks{build(){}};return ReportTasks'],
    ['a subclass', 'class Base {}; return class ReportTasks extends Base { build() {} }'],
    ['an anonymous class in a variable', 'const ReportTasks = class { build() {} }; return ReportTasks'],
  ])('accepts %s', (_, source) => {
    expect(() => checkClassName(written(source), 'build')).not.toThrow();
  });

  it.each([
    ['a minified class', 'var i=class{build(){}};return i'],
    ['a minified class with a name of its own', 'class ab{build(){}};return ab'],
    ['a minified subclass', 'class Base{};class t extends Base{build(){}};return t'],
    ['a class that a bundler numbered', 'var ReportTasks2 = class { build() {} }; return ReportTasks2'],
    ['a class with a helper variable', 'const _ReportTasks = class _ReportTasks { build() {} }; return _ReportTasks'],
    ['a helper of one letter', 'const _a = class _a { build() {} }; return _a'],
    ['a class without a name', 'return class { build() {} }'],
  ])('refuses %s, and asks for a name', (_, source) => {
    expect(() => checkClassName(written(source), 'build')).toThrow(ConfigurationError);
    expect(() => checkClassName(written(source), 'build')).toThrow("Name the task: @Task('reports.build')");
  });

  it('refuses a name that ends with a digit where this package is part of a bundle', () => {
    const target = written('return class ReportTasks2 { build() {} }');
    expect(() => checkClassName(target, 'build', true)).toThrow('gets its name from the class "ReportTasks2"');
  });
});
