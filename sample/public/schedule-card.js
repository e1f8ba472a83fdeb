import { cancel, follow, isFinal, setText, STATES } from './tasks.js';

const template = document.getElementById('schedule');
const moments = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium' });
const at = (text) => moments.format(new Date(text));

/** One schedule with its last run. `act` is called with the name of the button that was pressed. */
export function scheduleCard(act) {
  const element = template.content.cloneNode(true).firstElementChild;
  const part = (selector) => element.querySelector(selector);
  const run = runCard(part('.run'));
  let schedule;

  for (const button of element.querySelectorAll('[data-action]')) {
    button.addEventListener('click', () => act(button.dataset.action, schedule, element, button));
  }

  function show(given) {
    schedule = given;
    const { id, task, args, nextRuns, paused, lastRun, lastSkip, source } = given;
    const state = paused ? 'Paused' : nextRuns.length > 0 ? 'Active' : 'Ended';
    element.dataset.state = state.toLowerCase();
    setText(part('.title'), id);
    setText(part('.state'), state);
    setText(part('.when'), when(given));
    showNext(part('.next'), given);
    setText(part('.call'), `${task}(${args.map((arg) => JSON.stringify(arg)).join(', ')})`);
    setText(part('.skip'), lastSkip ? `Left out at ${at(lastSkip.tick)}: the run before had not ended.` : '');
    part('.skip').hidden = !lastSkip;
    part('.source').hidden = source !== 'decorator';
    for (const button of element.querySelectorAll('[data-action]')) {
      button.setAttribute('aria-label', `${button.textContent}: ${id}`);
      button.hidden = isOutOfPlace(button.dataset.action, given);
    }
    if (lastRun) run(lastRun, id);
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
  // Drawing it anew would close what somebody opened.
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

/** The last run as a task: followed from the moment it is known until its end. */
function runCard(card) {
  const part = (selector) => card.querySelector(selector);
  let current;
  part('.cancel').addEventListener('click', ({ target }) => {
    target.disabled = true;
    void cancel(current);
  });

  return ({ id, tick, enqueuedAt, state, error }, schedule) => {
    if (id === current) return;
    current = id;
    card.hidden = false;
    part('.cancel').disabled = false;
    part('.cancel').setAttribute('aria-label', `Cancel: ${schedule}`);
    part('progress').setAttribute('aria-label', `Progress of ${schedule}`);
    setText(part('.title'), tick ? `Run of ${at(tick)}` : `Run by hand, ${at(enqueuedAt)}`);
    update({ state: state ?? 'gone', error });
    follow(id, (status) => {
      if (id !== current) return;
      // A task is not kept as long as the schedule knows how it ended.
      update(status.state === 'gone' ? { state: state ?? 'gone', error } : status);
    });
  };

  function update(status) {
    const { state, progress } = status;
    card.dataset.state = state;
    setText(part('.state'), STATES[state] ?? state);
    setText(part('.detail'), tell(status));
    part('.cancel').hidden = isFinal(state);
    const bar = part('progress');
    bar.hidden = isFinal(state);
    if (progress) [bar.max, bar.value] = [progress.total, progress.current];
    else bar.removeAttribute('value');
  }
}

function tell({ state, progress, result, error }) {
  if (result) return result.text;
  if (error) return error.message;
  if (state === 'cancelled') return 'Stopped before its end.';
  if (state === 'running') return progress ? `Step ${progress.current} of ${progress.total}` : 'Starting …';
  return isFinal(state) ? '' : 'Waiting for a worker …';
}
