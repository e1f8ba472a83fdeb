import './inbox.js';
import { attempt, enable, follow, isFinal, post, send, setText, STATES } from './tasks.js';

const quote = document.getElementById('quote');
const trial = document.getElementById('trial');
const subscribers = document.getElementById('subscribers');
const form = subscribers.querySelector('form');
const moments = new Intl.DateTimeFormat('en', { dateStyle: 'full', timeStyle: 'short' });

for (const button of trial.querySelectorAll('[data-mood]')) {
  button.addEventListener('click', () => {
    void attempt(trial, button, async () => {
      const { id } = await post('/quotes/runs', { mood: button.dataset.mood });
      trial.querySelector('.tasks').prepend(run(id, button.textContent));
    });
  });
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  void attempt(subscribers, form.querySelector('button'), async () => {
    await send('PUT', '/quotes/subscribers', { email: form.elements.email.value });
    form.reset();
    await refresh();
  });
});

for (const section of [trial, subscribers]) enable(section);
await refresh();

async function refresh() {
  const { quote: latest, cron, timezone, nextRun, subscribers: own } = await send('GET', '/quotes');
  quote.querySelector('figure').hidden = !latest;
  quote.querySelector('.nothing').hidden = latest !== null;
  if (latest) {
    setText(quote.querySelector('blockquote'), latest.text);
    setText(quote.querySelector('figcaption'), `${latest.author}, ${latest.day}`);
  }
  const next = nextRun ? `${moments.format(new Date(nextRun))} by your clock` : 'not planned';
  setText(quote.querySelector('.next'), `${cron} in ${timezone}. Next: ${next}.`);
  subscribers
    .querySelector('ul')
    .replaceChildren(...own.map(({ email }) => Object.assign(document.createElement('li'), { textContent: email })));
}

function run(id, title) {
  const element = document.getElementById('run').content.cloneNode(true).firstElementChild;
  const part = (selector) => element.querySelector(selector);
  part('.title').textContent = title;
  const begun = performance.now();
  follow(id, (status) => {
    element.dataset.state = status.state;
    setText(part('.state'), STATES[status.state] ?? status.state);
    setText(part('.detail'), tell(status, Math.round((performance.now() - begun) / 100) / 10));
    if (isFinal(status.state)) void refresh();
  });
  return element;
}

function tell({ state, result, error }, seconds) {
  if (state === 'succeeded') return `“${result.text}” — ${result.author}`;
  if (state === 'failed') return `${error.message} It ended after ${seconds} s.`;
  return state === 'running' ? 'A process of its own runs it …' : 'Waiting for a worker …';
}
