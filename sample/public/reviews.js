import './inbox.js';
import { attempt, enable, follow, send, setText } from './tasks.js';

const writing = document.getElementById('review');
const form = writing.querySelector('form');
const list = document.querySelector('#reviews .tasks');
const cards = new Map();
/** One key for one review: a form that is sent twice, by a double click or after a lost answer, is one review. */
let key = crypto.randomUUID();

const STATES = { succeeded: 'Mail sent', failed: 'No mail', retrying: 'Mail follows', gone: 'No mail' };

form.addEventListener('submit', (event) => {
  event.preventDefault();
  const { name, email, stars, text } = form.elements;
  const output = form.querySelector('output');
  output.textContent = '';
  void attempt(form, form.querySelector('button'), async () => {
    const review = { name: name.value, email: email.value, stars: Number(stars.value), text: text.value };
    const begun = performance.now();
    await send('POST', '/reviews', review, { 'Idempotency-Key': key });
    key = crypto.randomUUID();
    output.textContent = `Thank you. Saved in ${Math.round(performance.now() - begun)} ms.`;
    text.value = '';
    await refresh();
  });
});

enable(writing);
await refresh();

async function refresh() {
  const reviews = await send('GET', '/reviews');
  document.querySelector('#reviews .nothing').hidden = reviews.length > 0;
  for (const review of reviews.toReversed()) {
    if (!cards.has(review.id)) {
      cards.set(review.id, card(review));
      list.prepend(cards.get(review.id).element);
    }
    cards.get(review.id).show(review);
  }
}

function card({ id, name, stars, text }) {
  const element = document.getElementById('one-review').content.cloneNode(true).firstElementChild;
  const part = (selector) => element.querySelector(selector);
  part('.title').textContent = `${'★'.repeat(stars)} ${name}`;
  part('.text').textContent = text;
  const again = part('form');
  let followed;

  again.addEventListener('submit', (event) => {
    event.preventDefault();
    void attempt(document.getElementById('reviews'), again.querySelector('button'), async () => {
      await send('PUT', `/reviews/${id}/email`, { email: again.elements.email.value });
      followed = undefined;
      await refresh();
    });
  });

  function update(status, email) {
    element.dataset.state = status.state;
    part('.state').hidden = false;
    setText(part('.state'), STATES[status.state] ?? 'Mail follows');
    setText(part('.detail'), tell(status, email));
    again.hidden = !['failed', 'gone'].includes(status.state);
  }

  return {
    element,
    show({ email, task, mailed_at: mailedAt }) {
      // The review of another visitor.
      if (!task) return;
      if (mailedAt) return update({ state: 'succeeded' }, email);
      if (followed === task) return;
      followed = task;
      follow(task, (status) => update(status, email));
    },
  };
}

function tell({ state, error, attempt: number }, email) {
  if (state === 'succeeded') return `Mailed to ${email}.`;
  if (state === 'failed') return `Your review is saved, but no mail reached ${email}. ${error.message}`;
  if (state === 'gone') return `Your review is saved. Whether a mail to ${email} follows is no longer known.`;
  if (state === 'retrying') return `The mail server put the mail to ${email} off. Attempt ${number + 1} follows.`;
  return `Your review is saved. The mail to ${email} follows.`;
}
