import { attempt, enable, send } from './tasks.js';

const editor = document.getElementById('editor');
const title = editor.querySelector('h2');
const form = editor.querySelector('form');
const [save, reset] = form.querySelectorAll('button');
const said = form.querySelector('output');
const { id, counts, kind, when, timezone, overlap, catchUp, endsAt, limit } = form.elements;
const ownZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
/** The name of the counter that is edited; `undefined` while a new one is filled in. */
let edited;

const zones = ['UTC', ...Intl.supportedValuesOf('timeZone')].map((value) =>
  Object.assign(document.createElement('option'), { value }),
);
document.getElementById('zones').append(...zones);

kind.addEventListener('change', () => {
  when.value = '';
  explain();
});
form.addEventListener('reset', () => {
  // The browser empties the fields after this event.
  setTimeout(begin);
});
form.addEventListener('submit', (event) => {
  event.preventDefault();
  said.textContent = '';
  void attempt(form, save, async () => {
    const settings = read();
    const name = id.value.trim();
    if (edited) await send('PUT', `/counters/${encodeURIComponent(edited)}`, settings);
    else await send('POST', '/counters', { id: name, ...settings });
    form.reset();
    said.textContent = edited ? 'Saved.' : 'Created.';
    editor.dispatchEvent(new Event('saved'));
  });
});
begin();
enable(form);

/** Fills the form with a counter. */
export function editCounter(counter) {
  edited = counter.id;
  form.querySelector('.error').hidden = true;
  said.textContent = '';
  id.value = counter.id;
  counts.value = counter.args[0];
  kind.value = counter.cron ? 'cron' : 'every';
  when.value = counter.cron ?? counter.expression.replace('every ', '');
  timezone.value = counter.timezone;
  overlap.value = counter.overlap;
  catchUp.value = counter.catchUp;
  endsAt.value = counter.endsAt ? localText(new Date(counter.endsAt)) : '';
  limit.value = counter.limit ?? '';
  explain();
  editor.scrollIntoView({ block: 'nearest' });
  counts.focus();
}

function begin() {
  edited = undefined;
  // A visitor who was faster than this script keeps what is typed in.
  timezone.value ||= ownZone;
  form.querySelector('.error').hidden = true;
  explain();
}

function explain() {
  setEditing(edited !== undefined);
  document.getElementById('when-hint').textContent = kind.selectedOptions[0].dataset.hint;
  const isCron = kind.value === 'cron';
  form.querySelector('[for=when]').textContent = isCron ? 'Cron expression' : 'Every';
  when.placeholder = isCron ? '0 7 * * 1-5' : '10m';
  timezone.parentElement.hidden = !isCron;
  timezone.disabled = !isCron;
}

function setEditing(isEditing) {
  title.textContent = isEditing ? `Edit “${edited}”` : 'New counter';
  save.textContent = isEditing ? 'Save' : 'Create';
  id.readOnly = isEditing;
  reset.hidden = !isEditing;
}

function read() {
  return {
    counts: counts.value,
    when: { [kind.value]: when.value.trim() },
    ...(kind.value === 'cron' && { timezone: timezone.value.trim() }),
    overlap: overlap.value,
    catchUp: catchUp.value,
    ...(endsAt.value && { endsAt: new Date(endsAt.value).toISOString() }),
    ...(limit.value && { limit: limit.valueAsNumber }),
  };
}

/** As the field wants it: the time of this clock, without a zone. */
function localText(date) {
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
