import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { InvalidArgumentsError } from '../../../lib/errors.js';
import { defineFrom } from '../../../lib/tasks/task-definition.js';
import type { TaskOptions } from '../../../lib/tasks/task-options.js';
import { validateArguments } from '../../../lib/tasks/validate-arguments.js';

type Schema = NonNullable<TaskOptions['schema']>;
type Problems = readonly { readonly message: string; readonly path?: readonly unknown[] }[];

function validate(schema: unknown, args: readonly unknown[]) {
  return validateArguments(defineFrom({ ...(schema ? { schema: schema as Schema } : {}) }, {}, 'Mail.send'), args);
}

/** A Standard Schema that finds these problems. */
function schemaThatFinds(issues: Problems) {
  return { '~standard': { version: 1, vendor: 'test', validate: () => ({ issues }) } };
}

describe('the arguments of a task', () => {
  it('stay as they are without a schema', async () => {
    const args = [1, 'x'];
    expect(await validate(undefined, args)).toBe(args);
  });

  it('become the output of the schema', async () => {
    const schema = z.tuple([z.string().trim(), z.number().default(7)]);
    expect(await validate(schema, [' ada '])).toEqual(['ada', 7]);
  });

  it('become the output of a schema that validates later', async () => {
    const schema = z.tuple([z.string().refine(async (text) => text !== 'no')]);
    expect(await validate(schema, ['yes'])).toEqual(['yes']);
    await expect(validate(schema, ['no'])).rejects.toThrow(InvalidArgumentsError);
  });

  it('stay as they are when the output of the schema is no list', async () => {
    const schema = { '~standard': { version: 1, vendor: 'test', validate: () => ({ value: 'no list' }) } };
    expect(await validate(schema, [1])).toEqual([1]);
  });
});

describe('the error', () => {
  it('names the task and every problem', async () => {
    const schema = z.tuple([z.object({ email: z.email() }), z.number()]);
    const error = (await validate(schema, [{ email: 'no' }, 'x']).catch(
      (thrown: unknown) => thrown,
    )) as InvalidArgumentsError;
    expect(error).toBeInstanceOf(InvalidArgumentsError);
    expect(error.issues.map(({ path }) => path)).toEqual(['args[0].email', 'args[1]']);
    expect(error.message).toMatch(/"Mail\.send" .*args\[0\]\.email: .*; args\[1\]: /);
  });

  it.each<[path: readonly unknown[] | undefined, text: string]>([
    [undefined, 'args'],
    [[], 'args'],
    [[0], 'args[0]'],
    [[0, 'user', 'mails', 3], 'args[0].user.mails[3]'],
    [[{ key: 0 }, { key: 'user' }], 'args[0].user'],
    [[Symbol('secret')], 'args.Symbol(secret)'],
  ])('has the path %p as %s', async (path, text) => {
    const schema = schemaThatFinds([{ message: 'wrong', ...(path && { path }) }]);
    await expect(validate(schema, [])).rejects.toMatchObject({ issues: [{ path: text, message: 'wrong' }] });
  });

  it('begins its paths with the place of the call among several', async () => {
    const definition = defineFrom({ schema: z.tuple([z.number()]) as Schema }, {}, 'Mail.send');
    await expect(validateArguments(definition, ['x'], 'args[17]')).rejects.toMatchObject({
      issues: [{ path: 'args[17][0]' }],
    });
  });

  it.each<[answer: unknown, says: string]>([
    [undefined, 'undefined'],
    [null, 'null'],
    ['yes', 'string'],
    [{ issues: 'all' }, 'issues of another form'],
    [{ issues: [null] }, 'issues of another form'],
    [{ issues: [{ message: 'wrong', path: [null] }] }, 'issues of another form'],
  ])('says of the schema that it answered with %j, and nothing of the arguments', async (answer, says) => {
    const schema = { '~standard': { version: 1, vendor: 'test', validate: () => answer } };
    await expect(validate(schema, ['secret'])).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: `The schema of task "Mail.send" answered with ${says}. A Standard Schema answers with { value }, or with { issues }, a list of { message, path }.`,
    });
  });
});
