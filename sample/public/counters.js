import { attempt, send } from './tasks.js';
import { editCounter } from './counter-form.js';
import { counterCard } from './counter-card.js';

/** Milliseconds between two questions: runs begin by themselves. */
const PAUSE = 2000;

const section = document.getElementById('counters');
const list = section.querySelector('.tasks');
const title = section.querySelector('h2');
const cards = new Map();
let timer;
let lastQuestion = 0;

const actions = {
  run: ({ id }) => send('POST', `${path(id)}/runs`),
  pause: ({ id }) => send('POST', `${path(id)}/pause`),
  resume: ({ id }) => send('POST', `${path(id)}/resume`),
  edit: (counter) => editCounter(counter),
  async remove({ id }) {
    if (!confirm(`Remove the counter “${id}”?`)) return;
    await send('DELETE', path(id));
    title.focus();
  },
};

document.getElementById('editor').addEventListener('saved', () => void refresh());
document.addEventListener('visibilitychange', () => void refresh());
void refresh();

/** Shows the counters, and repeats that for as long as the page is visible. */
async function refresh() {
  clearTimeout(timer);
  if (document.hidden) return;
  const question = ++lastQuestion;
  const counters = await load();
  // A later question has the newer answer.
  if (question !== lastQuestion) return;
  if (counters) show(counters);
  timer = setTimeout(() => void refresh(), PAUSE);
}

async function load() {
  const error = section.querySelector(':scope > .error');
  try {
    const counters = await send('GET', '/counters');
    error.hidden = true;
    return counters;
  } catch (reason) {
    error.textContent = reason.message;
    error.hidden = false;
    return undefined;
  }
}

/** Cards are kept, so that a button with the focus keeps it. */
function show(counters) {
  const ids = new Set(counters.map(({ id }) => id));
  for (const [id, card] of cards) {
    if (ids.has(id)) continue;
    card.element.remove();
    cards.delete(id);
  }
  for (const [index, counter] of counters.entries()) {
    const card = cards.get(counter.id) ?? counterCard((...press) => void act(...press));
    cards.set(counter.id, card);
    card.show(counter);
    if (list.children[index] !== card.element) list.insertBefore(card.element, list.children[index] ?? null);
  }
}

async function act(name, counter, element, button) {
  await attempt(element, button, async () => {
    await actions[name](counter);
    await refresh();
  });
  // A disabled button loses the focus; so does one that another button replaces.
  if (document.activeElement !== document.body) return;
  const other = element.querySelector(`[data-action=${name === 'pause' ? 'resume' : 'pause'}]`);
  (button.hidden ? other : button).focus();
}

function path(id) {
  return `/counters/${encodeURIComponent(id)}`;
}
