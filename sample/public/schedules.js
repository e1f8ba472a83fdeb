import { attempt, send } from './tasks.js';
import { editSchedule } from './schedule-form.js';
import { scheduleCard } from './schedule-card.js';

/** Runs begin by themselves: the page asks again after so many milliseconds. */
const PAUSE = 2000;

const section = document.getElementById('schedules');
const list = section.querySelector('.tasks');
const title = section.querySelector('h2');
const cards = new Map();
let timer;
let lastQuestion = 0;

const actions = {
  run: ({ id }) => send('POST', `${path(id)}/runs`),
  pause: ({ id }) => send('POST', `${path(id)}/pause`),
  resume: ({ id }) => send('POST', `${path(id)}/resume`),
  edit: (schedule) => editSchedule(schedule),
  async remove({ id }) {
    if (!confirm(`Remove the schedule “${id}”? What it has started already goes on.`)) return;
    await send('DELETE', path(id));
    title.focus();
  },
};

document.getElementById('editor').addEventListener('saved', () => void refresh());
document.addEventListener('visibilitychange', () => void refresh());
void refresh();

/** Shows what is there now, and goes on doing so as long as somebody looks. */
async function refresh() {
  clearTimeout(timer);
  if (document.hidden) return;
  const question = ++lastQuestion;
  const schedules = await load();
  // Who asked later knows better.
  if (question !== lastQuestion) return;
  if (schedules) show(schedules);
  timer = setTimeout(() => void refresh(), PAUSE);
}

async function load() {
  const error = section.querySelector(':scope > .error');
  try {
    const schedules = await send('GET', '/schedules');
    error.hidden = true;
    return schedules;
  } catch (reason) {
    error.textContent = reason.message;
    error.hidden = false;
    return undefined;
  }
}

/** Cards stay who they are, so that nobody loses the button that has the focus. */
function show(schedules) {
  const ids = new Set(schedules.map(({ id }) => id));
  for (const [id, card] of cards) {
    if (ids.has(id)) continue;
    card.element.remove();
    cards.delete(id);
  }
  for (const [index, schedule] of schedules.entries()) {
    const card = cards.get(schedule.id) ?? scheduleCard((...press) => void act(...press));
    cards.set(schedule.id, card);
    card.show(schedule);
    if (list.children[index] !== card.element) list.insertBefore(card.element, list.children[index] ?? null);
  }
}

async function act(name, schedule, element, button) {
  await attempt(element, button, async () => {
    await actions[name](schedule);
    await refresh();
  });
  // A button that cannot be pressed loses the focus, also to the one that takes its place.
  if (document.activeElement !== document.body) return;
  const other = element.querySelector(`[data-action=${name === 'pause' ? 'resume' : 'pause'}]`);
  (button.hidden ? other : button).focus();
}

function path(id) {
  return `/schedules/${encodeURIComponent(id)}`;
}
