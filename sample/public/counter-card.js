import { setText } from './tasks.js';

const template = document.getElementById('counter');
const moments = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium' });
const at = (text) => moments.format(new Date(text));
const NAMES = { post: 'posts', review: 'reviews', subscriber: 'subscribers' };

/** One counter with its numbers. `act` is called with the name of the button that was pressed. */
export function counterCard(act) {
  const element = template.content.cloneNode(true).firstElementChild;
  const part = (selector) => element.querySelector(selector);
  let counter;

  for (const button of element.querySelectorAll('[data-action]')) {
    button.addEventListener('click', () => act(button.dataset.action, counter, element, button));
  }

  function show(given) {
    counter = given;
    const { id, args, nextRuns, paused, lastRun, lastSkip, source, counts } = given;
    const state = paused ? 'Paused' : nextRuns.length > 0 ? 'Active' : 'Ended';
    element.dataset.state = state.toLowerCase();
    setText(part('.title'), id);
    setText(part('.state'), state);
    setText(part('.what'), NAMES[args[0]] ?? '');
    setText(part('.when'), when(given));
    showNext(part('.next'), given);
    setText(part('.last'), tellRun(lastRun));
    setText(part('.skip'), lastSkip ? `Left out at ${at(lastSkip.tick)}: the run before had not ended.` : '');
    part('.skip').hidden = !lastSkip;
    part('.source').hidden = source !== 'decorator';
    showCounts(part('.counts'), counts);
    for (const button of element.querySelectorAll('[data-action]')) {
      button.setAttribute('aria-label', `${button.textContent}: ${id}`);
      button.hidden = isOutOfPlace(button.dataset.action, given);
    }
  }

  return { element, show };
}

function isOutOfPlace(action, { paused, source }) {
  if (action === 'pause') return paused;
  if (action === 'resume') return !paused;
  return source === 'decorator' && (action === 'edit' || action === 'remove');
}

function when({ cron, expression, timezone, overlap, endsAt, limit, runs }) {
  const parts = [cron ? `${cron} in ${timezone}` : expression];
  if (overlap === 'skip') parts.push('never beside itself');
  if (limit) parts.push(`${runs} of ${limit} runs done`);
  if (endsAt) parts.push(`until ${at(endsAt)}`);
  return parts.join(', ');
}

function showNext(place, { nextRuns, paused }) {
  const text = nextRuns.join();
  // A new list would close the one that the reader has opened.
  if (place.dataset.shown === `${paused}${text}`) return;
  place.dataset.shown = `${paused}${text}`;
  const [first, ...later] = nextRuns.map(at);
  if (later.length === 0) return void place.replaceChildren(first ?? (paused ? 'Not until it is resumed' : 'Never'));
  const wasOpen = place.querySelector('details')?.open ?? false;
  const details = Object.assign(document.createElement('details'), { open: wasOpen });
  details.append(Object.assign(document.createElement('summary'), { textContent: first }), ...later.map(line));
  place.replaceChildren(details);
}

function line(textContent) {
  return Object.assign(document.createElement('div'), { textContent });
}

function tellRun(run) {
  if (!run) return 'Not yet';
  const due = run.tick ? at(run.tick) : `By hand, ${at(run.enqueuedAt)}`;
  return run.error ? `${due}: ${run.error.message}` : `${due}: ${run.state ?? 'gone'}`;
}

/** The latest number, and a bar for each of the last ones. */
function showCounts(place, counts) {
  place.hidden = counts.length === 0;
  if (counts.length === 0 || place.dataset.shown === counts.at(-1).counted_at) return;
  const { value, counted_at: countedAt, process } = counts.at(-1);
  place.dataset.shown = countedAt;
  setText(place.querySelector('.number'), value.toLocaleString('en'));
  setText(place.querySelector('.detail'), `Counted at ${at(countedAt)} by process ${process}`);
  const highest = Math.max(1, ...counts.map((count) => count.value));
  place.querySelector('.bars').replaceChildren(...counts.map((count) => bar(count, highest)));
}

function bar({ value }, highest) {
  const element = document.createElement('span');
  element.style.setProperty('--height', String(value / highest));
  return element;
}
