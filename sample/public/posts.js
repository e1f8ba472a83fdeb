import { attempt, enable, follow, post, send, setText, STATES } from './tasks.js';

const writing = document.getElementById('write');
const account = document.getElementById('account');
const connect = document.getElementById('connect');
const draft = document.getElementById('draft');
const list = writing.querySelector('.tasks');
const network = document.getElementById('network');
const cards = new Map();

const EXAMPLES = ['Good morning.', 'The coffee is ready.', 'It is raining.', 'The sun is back.', 'Good night.'];

connect.addEventListener('submit', (event) => {
  event.preventDefault();
  void attempt(writing, connect.querySelector('button'), async () => {
    await send('PUT', '/posts/account', { name: connect.elements.name.value });
    await refresh();
    draft.elements.text.focus();
  });
});

draft.addEventListener('submit', (event) => {
  event.preventDefault();
  void attempt(writing, draft.querySelector('button'), async () => {
    await post('/posts', { text: draft.elements.text.value });
    draft.reset();
    await refresh();
  });
});

draft.querySelector('.several').addEventListener('click', ({ target }) => {
  void attempt(writing, target, async () => {
    for (const text of EXAMPLES) await post('/posts', { text });
    await refresh();
  });
});

enable(writing);
await attempt(writing, connect.querySelector('button'), refresh);

async function refresh() {
  const { account: name, posts, network: messages } = await send('GET', '/posts');
  connect.hidden = name !== null;
  draft.hidden = name === null;
  if (name !== null)
    setText(account, `You post as ${name}. Your token stays in the database: no task and no page gets it.`);
  for (const entry of posts.toReversed()) {
    if (!cards.has(entry.id)) {
      cards.set(entry.id, card(entry));
      list.prepend(cards.get(entry.id).element);
    }
    cards.get(entry.id).show(entry);
  }
  network.querySelector('.nothing').hidden = messages.length > 0;
  network.querySelector('ol').replaceChildren(...messages.map(message));
}

function message({ text, at }) {
  const item = document.createElement('li');
  const time = Object.assign(document.createElement('time'), {
    dateTime: at,
    textContent: new Date(at).toLocaleTimeString('en'),
  });
  item.append(text, ' ', time);
  return item;
}

/** One post. Its task is followed until the post is on the network. */
function card({ id, text }) {
  const element = document.getElementById('post').content.cloneNode(true).firstElementChild;
  const part = (selector) => element.querySelector(selector);
  part('.title').textContent = text;
  part('.retry').setAttribute('aria-label', `Try again: ${text}`);
  let followed;

  part('.retry').addEventListener('click', ({ target }) => {
    void attempt(writing, target, async () => {
      await post(`/posts/${id}/retry`);
      followed = undefined;
      await refresh();
    });
  });

  function update(status) {
    element.dataset.state = status.state;
    setText(part('.state'), STATES[status.state] ?? status.state);
    setText(part('.detail'), tell(status));
    part('.retry').hidden = !['failed', 'cancelled', 'expired'].includes(status.state);
  }

  return {
    element,
    show({ task, url }) {
      if (url) return update({ state: 'succeeded', result: url });
      if (followed === task) return;
      followed = task;
      const change = (status) => {
        update(status);
        if (status.state === 'succeeded') void refresh();
      };
      follow(task, change);
    },
  };
}

function tell({ state, result, error, progress, attempt: number }) {
  if (state === 'succeeded') return result;
  if (state === 'failed') return error.message;
  if (state === 'gone') return 'The task is no longer known.';
  if (progress?.wait && state !== 'running') return progress.wait;
  if (state === 'retrying') return `${error?.message ?? 'The network did not answer.'} Attempt ${number + 1} follows.`;
  return state === 'running' ? 'The network is thinking …' : 'Saved, and waiting for a worker …';
}
