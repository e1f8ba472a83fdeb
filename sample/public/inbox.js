import { send, setText } from './tasks.js';

/** Milliseconds between two looks at the mailbox, which tells nobody of a new mail. */
const PAUSE = 1000;

const section = document.getElementById('inbox');
const title = Object.assign(document.createElement('h2'), { id: 'inbox-title', textContent: 'Your mailbox' });
const note = document.createElement('p');
const list = Object.assign(document.createElement('ol'), { className: 'mails' });
list.setAttribute('aria-labelledby', title.id);
section.append(title, note, list);

const shown = new Set();
void watch();

async function watch() {
  if (!document.hidden) await show().catch(() => undefined);
  setTimeout(() => void watch(), PAUSE);
}

async function show() {
  const mails = await send('GET', '/inbox');
  setText(note, mails.length > 0 ? 'What the mail server of the sample has got for you.' : 'No mail yet.');
  for (const mail of mails.toReversed()) {
    if (shown.has(mail.id)) continue;
    shown.add(mail.id);
    list.prepend(item(mail));
  }
}

function item({ recipient, subject, text, at }) {
  const details = document.createElement('details');
  const summary = document.createElement('summary');
  const time = Object.assign(document.createElement('time'), {
    dateTime: at,
    textContent: new Date(at).toLocaleTimeString('en'),
  });
  summary.append(subject, ' ', time);
  const to = Object.assign(document.createElement('small'), { textContent: `To ${recipient}` });
  const body = Object.assign(document.createElement('pre'), { textContent: text });
  details.append(summary, to, body);
  const entry = document.createElement('li');
  entry.append(details);
  return entry;
}
