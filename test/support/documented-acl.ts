import { readFileSync } from 'node:fs';

/**
 * The rules that a page of the documentation gives to an ACL user of Redis, for another prefix and password: tests use what users copy.
 *
 * @param page the path of the page, which has `ACL SETUSER <user> …` for the prefix `tasks`
 */
export function documentedAcl(page: string, user: string, prefix: string, password: string): string[] {
  const [, rules] = new RegExp(`ACL SETUSER ${user} ([^\`\\n]+)`).exec(readFileSync(page, 'utf8')) ?? [];
  if (rules === undefined) throw new Error(`${page} has no rules for the ACL user "${user}".`);
  return rules.replace('>password', `>${password}`).replaceAll('tasks:', `${prefix}:`).split(' ');
}
