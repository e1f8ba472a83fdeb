import { attempt, cancel, enable, follow, isFinal, post, remembered, setText, STATES } from './tasks.js';

const MEGABYTE = 1024 * 1024;
const TOO_LARGE = 'The file is larger than 20 MB. Split it, or leave out what is no table.';

const count = (number, one, many = `${one}s`) => `${number.toLocaleString('en')} ${number === 1 ? one : many}`;

/* Import */

const importing = taskList('import', (status) => {
  const { imported, refused, examples, cleaned, toCorrect } = status.result;
  return {
    detail: `${count(imported, 'person', 'people')} imported, ${count(refused, 'row')} refused.`,
    report: [
      downloads([cleaned, 'Download cleaned workbook'], [toCorrect, 'Download rows to correct', 'button second']),
      refused > 0 && refusedRows(refused, examples),
    ],
  };
});

const drop = importing.section.querySelector('.drop');
const input = drop.querySelector('input');
const tryExample = importing.section.querySelector('.try');

input.addEventListener('change', () => {
  const [file] = input.files;
  // So that the same file, corrected, can be chosen again.
  input.value = '';
  if (file) void upload(file, input);
});
for (const type of ['dragover', 'dragleave', 'drop']) {
  drop.addEventListener(type, (event) => {
    event.preventDefault();
    drop.classList.toggle('over', type === 'dragover');
    const [file] = event.dataTransfer.files;
    if (type === 'drop' && file) void upload(file, input);
  });
}
tryExample.addEventListener('click', () => void uploadExample());

async function uploadExample() {
  const example = await fetch('/people/example.xlsx');
  await upload(new File([await example.blob()], 'people-example.xlsx'), tryExample);
}

const upload = (file, button) =>
  attempt(importing.section, button, async () => {
    if (file.size > 20 * MEGABYTE) throw new Error(TOO_LARGE);
    const form = new FormData();
    form.append('file', file);
    const { id } = await post('/people/imports', form).catch((error) => {
      throw error.status === 413 ? new Error(TOO_LARGE) : error;
    });
    importing.add({ id, title: file.name });
  });

/* Export */

const exporting = taskList('export', (status) => ({
  detail: `${count(status.result.rows, 'row')} written.`,
  report: [downloads([status.result.file, 'Download workbook'])],
}));

exporting.section.querySelector('form').addEventListener('submit', (event) => {
  event.preventDefault();
  const form = event.target;
  const rows = form.rows.valueAsNumber;
  void attempt(exporting.section, form.querySelector('button'), async () => {
    const { id } = await post('/people/exports', { rows });
    exporting.add({ id, title: count(rows, 'row') });
  });
});

for (const { section } of [importing, exporting]) enable(section);

/* Tasks as cards */

/** A section's list of tasks, those of earlier visits included. `describe` tells what became of one that succeeded. */
function taskList(name, describe) {
  const section = document.getElementById(name);
  const list = section.querySelector('.tasks');
  const memory = remembered(name);

  function show({ id, title }) {
    const card = document.getElementById('task').content.cloneNode(true).firstElementChild;
    const part = (selector) => card.querySelector(selector);
    part('.title').textContent = title;
    part('progress').setAttribute('aria-label', `Progress of ${title}`);
    part('.cancel').addEventListener('click', ({ target }) => {
      target.disabled = true;
      void cancel(id);
    });
    part('.remove').addEventListener('click', () => {
      memory.remove(id);
      card.remove();
    });
    follow(id, (status) => update(part, card, status));
    return card;
  }

  function update(part, card, status) {
    const { detail, report } = status.state === 'succeeded' ? describe(status) : { detail: tell(status), report: [] };
    card.dataset.state = status.state;
    setText(part('.state'), STATES[status.state] ?? status.state);
    setText(part('.detail'), detail);
    part('.report').replaceChildren(...report.filter(Boolean));
    part('.cancel').hidden = isFinal(status.state);
    part('.remove').hidden = !isFinal(status.state);
    const bar = part('progress');
    bar.hidden = isFinal(status.state);
    if (status.progress) [bar.max, bar.value] = [status.progress.total, status.progress.current];
  }

  list.append(...memory.list().map(show));
  return {
    section,
    add(entry) {
      memory.add(entry);
      list.prepend(show(entry));
    },
  };
}

function tell({ state, progress, error }) {
  if (state === 'failed') return error.message;
  if (state === 'cancelled') return 'Stopped before its end. Nothing was kept.';
  if (state === 'expired') return 'It waited too long, and was not started.';
  if (state === 'gone') return 'Finished long ago, or started by somebody else.';
  if (progress) return `${progress.current.toLocaleString('en')} of ${count(progress.total, 'row')}`;
  return state === 'running' ? 'Reading the file …' : 'Waiting for a worker …';
}

function downloads(...links) {
  const row = document.createElement('p');
  row.className = 'row';
  for (const [file, text, className = 'button'] of links) {
    if (file) row.append(Object.assign(document.createElement('a'), { href: file.href, className, textContent: text }));
  }
  return row;
}

function refusedRows(total, examples) {
  const details = document.getElementById('refused').content.cloneNode(true).firstElementChild;
  const shown = examples.length < total ? `, the first ${examples.length} here` : '';
  details.querySelector('summary').textContent = `${count(total, 'row')} refused${shown}`;
  const body = details.querySelector('tbody');
  for (const { row, problems, text } of examples) {
    const line = body.insertRow();
    for (const content of [row, problems.join(' '), text]) line.insertCell().textContent = content;
  }
  return details;
}
