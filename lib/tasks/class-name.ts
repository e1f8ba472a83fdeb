import { ConfigurationError } from '../errors.js';
import { packageFolder } from '../package-location.cjs';

/** The source of a class that a minifier wrote: no blank before the brace. */
const MINIFIED = /^class(?: [\w$]+)?(?: extends [^{]*[^{\s])?\{/;
/** The source of a class that a bundler took out of its declaration: the name is that of a variable. */
const ANONYMOUS = /^class(?: extends [^{]+)?\s*\{/;

/**
 * The default names of tasks begin with the name of their class. A bundler may rename a class (`ReportTasks2`,
 * `_ReportTasks`, `a`), differently in each bundle, so that a worker would not know the tasks of a producer.
 *
 * A name that ends with a digit is not trusted where the class is anonymous or this package is itself part of a bundle;
 * elsewhere it is the programmer's own.
 *
 * @param method a method of the class that is a task without a name of its own
 * @throws ConfigurationError when the name looks like the work of a bundler
 */
export function checkClassName(target: Function, method: string, isBundled = packageFolder() === undefined): void {
  const { name } = target;
  const source = Function.prototype.toString.call(target);
  const isRenamed =
    name === '' ||
    name.startsWith('_') ||
    (name.length <= 3 && MINIFIED.test(source)) ||
    (/\d$/.test(name) && (isBundled || ANONYMOUS.test(source)));
  if (!isRenamed) return;
  throw new ConfigurationError(
    `The task ${name}.${method} gets its name from the class "${name}", and a bundler seems to have chosen that name. Other ` +
      `processes would know the task by another one. Name the task: @Task('reports.${method}'), or let the bundler keep the ` +
      'names of classes (esbuild: keepNames; webpack: optimization.minimize false, or keep_classnames of its minifier).',
  );
}
