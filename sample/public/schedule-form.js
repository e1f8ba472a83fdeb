import { attempt, enable, send } from './tasks.js';

const editor = document.getElementById('editor');
const title = editor.querySelector('h2');
const form = editor.querySelector('form');
const [save, reset] = form.querySelectorAll('button');
const said = form.querySelector('output');
const { id, task, args, kind, when, timezone, overlap, catchUp, endsAt, limit } = form.elements;
const ownZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
/** Of the schedule that is edited; a new one has none. */
let edited;

const zones = ['UTC', ...Intl.supportedValuesOf('timeZone')].map((value) =>
  Object.assign(document.createElement('option'), { value }),
);
document.getElementById('zones').append(...zones);

task.addEventListener('change', () => {
  args.value = task.selectedOptions[0].dataset.args;
  explain();
});
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
    if (edited) await send('PUT', `/schedules/${encodeURIComponent(edited)}`, settings);
    else await send('POST', '/schedules', { id: name, ...settings });
    form.reset();
    said.textContent = edited ? 'Saved.' : 'Created.';
    editor.dispatchEvent(new Event('saved'));
  });
});
begin();
enable(form);

/** Fills the form with a schedule that is there. */
export function editSchedule(schedule) {
  edited = schedule.id;
  form.querySelector('.error').hidden = true;
  said.textContent = '';
  id.value = schedule.id;
  task.value = schedule.task;
  args.value = JSON.stringify(schedule.args);
  kind.value = schedule.cron ? 'cron' : 'every';
  when.value = schedule.cron ?? schedule.expression.replace('every ', '');
  timezone.value = schedule.timezone;
  overlap.value = schedule.overlap;
  catchUp.value = schedule.catchUp;
  endsAt.value = schedule.endsAt ? localText(new Date(schedule.endsAt)) : '';
  limit.value = schedule.limit ?? '';
  explain();
  editor.scrollIntoView({ block: 'nearest' });
  args.focus();
}

function begin() {
  edited = undefined;
  // Who was faster than this script keeps what is typed in already.
  args.value ||= task.selectedOptions[0].dataset.args;
  timezone.value ||= ownZone;
  form.querySelector('.error').hidden = true;
  explain();
}

function explain() {
  setEditing(edited !== undefined);
  document.getElementById('args-hint').textContent = task.selectedOptions[0].dataset.hint;
  document.getElementById('when-hint').textContent = kind.selectedOptions[0].dataset.hint;
  const isCron = kind.value === 'cron';
  form.querySelector('[for=when]').textContent = isCron ? 'Cron expression' : 'Every';
  when.placeholder = isCron ? '0 7 * * 1-5' : '10m';
  timezone.parentElement.hidden = !isCron;
  timezone.disabled = !isCron;
}

function setEditing(isEditing) {
  title.textContent = isEditing ? `Edit “${edited}”` : 'New schedule';
  save.textContent = isEditing ? 'Save' : 'Create';
  id.readOnly = isEditing;
  reset.hidden = !isEditing;
}

function read() {
  return {
    task: task.value,
    args: readArguments(),
    when: { [kind.value]: when.value.trim() },
    ...(kind.value === 'cron' && { timezone: timezone.value.trim() }),
    overlap: overlap.value,
    catchUp: catchUp.value,
    ...(endsAt.value && { endsAt: new Date(endsAt.value).toISOString() }),
    ...(limit.value && { limit: limit.valueAsNumber }),
  };
}

function readArguments() {
  try {
    const list = JSON.parse(args.value);
    if (Array.isArray(list)) return list;
  } catch {
    // Said below.
  }
  throw new Error(`The arguments have to be a JSON list, such as ${task.selectedOptions[0].dataset.args}.`);
}

/** As the field wants it: the time of this clock, without a zone. */
function localText(date) {
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
