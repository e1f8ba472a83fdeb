import { attempt, cancel, enable, finish, isFinal, post, remembered, setText, STATES } from './tasks.js';

const part = (name) => document.getElementById(name);
for (const name of ['add', 'naps', 'chain', 'chord']) enable(part(name));

/* Add two numbers */

const addForm = part('add').querySelector('form');
addForm.addEventListener('submit', (event) => {
  event.preventDefault();
  const { a, b } = addForm;
  const output = addForm.querySelector('output');
  void attempt(part('add'), addForm.querySelector('button'), async () => {
    output.textContent = '…';
    const { id } = await post('/first-steps/add', { a: a.valueAsNumber, b: b.valueAsNumber });
    const { result, error } = await finish(id);
    output.textContent = error ? error.message : `= ${result}`;
  });
});

/* Sleep, many at once */

const napsForm = part('naps').querySelector('form');
const panel = part('naps').querySelector('.naps');
const dots = panel.querySelector('ul');
const memory = remembered('naps');
let napping;
let running = [];

napsForm.addEventListener('submit', (event) => {
  event.preventDefault();
  const { times, seconds } = napsForm;
  void attempt(part('naps'), napsForm.querySelector('button'), async () => {
    const naps = await post('/first-steps/naps', { times: times.valueAsNumber, seconds: seconds.valueAsNumber });
    for (const earlier of memory.list()) memory.remove(earlier.id);
    const ids = naps.map(({ id }) => id);
    memory.add({ id: ids[0], ids });
    showNaps(ids);
  });
});

panel.querySelector('button').addEventListener('click', () => {
  for (const id of running) void cancel(id);
});

for (const { ids } of memory.list()) showNaps(ids);

function showNaps(ids) {
  napping?.close();
  panel.hidden = false;
  dots.replaceChildren(...ids.map(() => document.createElement('li')));
  napping = watch(ids, (states) => {
    running = ids.filter((id) => !isFinal(states.get(id).state));
    ids.forEach((id, index) => (dots.children[index].dataset.state = states.get(id).state));
    const number = (state) => [...states.values()].filter((each) => each.state === state).length;
    const text = `${number('running')} asleep, ${number('succeeded')} of ${ids.length} awake again`;
    const cancelled = number('cancelled');
    panel.querySelector('output').textContent = cancelled ? `${text}, ${cancelled} cancelled` : text;
    panel.querySelector('button').hidden = running.length === 0;
  });
}

/* Workflows, drawn while they run */

for (const name of ['chain', 'chord']) {
  const button = part(name).querySelector('button');
  button.addEventListener('click', () => {
    void attempt(part(name), button, async () =>
      draw(part(name).querySelector('.flow'), await post(`/first-steps/${name}`)),
    );
  });
}

/** Draws the steps of a workflow, and resolves when all of them have ended. */
function draw(list, steps) {
  const boxes = steps.map(({ call }) => {
    const box = part('step').content.cloneNode(true).firstElementChild;
    setText(box.querySelector('code'), call);
    return box;
  });
  list.replaceChildren(...boxes);
  list.hidden = false;
  const ids = steps.map(({ id }) => id);
  return new Promise((resolve) => {
    watch(ids, (states) => {
      for (const [index, box] of boxes.entries()) {
        const { state, result } = states.get(ids[index]);
        box.dataset.state = state;
        setText(box.querySelector('output'), state === 'succeeded' ? `${result}` : '');
        setText(box.querySelector('[role=status]'), STATES[state] ?? state);
      }
      if (ids.every((id) => isFinal(states.get(id).state))) resolve();
    });
  });
}

/** Calls `show` with the states of the tasks now and after each change, by one stream for all of them. */
function watch(ids, show) {
  const states = new Map(ids.map((id) => [id, { state: 'queued' }]));
  const stream = new EventSource(`/first-steps/tasks?ids=${ids.join()}`);
  stream.addEventListener('message', ({ data }) => {
    const { id, ...status } = JSON.parse(data);
    states.set(id, status);
    show(states);
    if (ids.every((one) => isFinal(states.get(one).state))) stream.close();
  });
  show(states);
  return stream;
}
