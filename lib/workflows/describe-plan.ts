import type { Plan } from './plan.js';

/** A group may have ten thousand members, so the text has only the first of them. */
const MEMBERS_SHOWN = 10;
/** Characters of JSON. */
const LONGEST_ARGUMENT = 80;

/** The plan as text, for logs and for the name of a workflow: `chain(Maths.add(1, 2), Maths.double())`. */
export function describePlan(plan: Plan): string {
  if ('task' in plan) {
    const args = plan.args.map((arg) => shorten(JSON.stringify(arg))).join(', ');
    return plan.each ? `${plan.task}.map([${shorten(args)}])` : `${plan.task}(${args})`;
  }
  if ('chain' in plan) return `${plan.chord ? 'chord' : 'chain'}(${plan.chain.map(describePlan).join(', ')})`;
  const shown = plan.group.slice(0, MEMBERS_SHOWN).map(describePlan);
  if (plan.group.length > shown.length) shown.push(`${plan.group.length - shown.length} more`);
  return `group([${shown.join(', ')}]${plan.onFailure ? `, { onFailure: '${plan.onFailure}' }` : ''})`;
}

function shorten(text: string): string {
  return text.length > LONGEST_ARGUMENT ? `${text.slice(0, LONGEST_ARGUMENT - 1)}…` : text;
}
