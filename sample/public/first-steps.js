import { attempt, cancel, enable, finish, isFinal, post, remembered } from './tasks.js';

const section = document.getElementById('first-steps');

/* Add two numbers */

const addForm = document.getElementById('add');
addForm.addEventListener('submit', (event) => {
  event.preventDefault();
  const { a, b } = addForm;
  const output = addForm.querySelector('output');
  void attempt(section, addForm.querySelector('button'), async () => {
    output.textContent = '…';
    const { id } = await post('first-steps/add', { a: a.valueAsNumber, b: b.valueAsNumber });
    const { result, error } = await finish(id);
    output.textContent = error ? error.message : `= ${result}`;
  });
});

/* Sleep, many at once */

const napsForm = document.getElementById('naps');
const panel = section.querySelector('.naps');
const dots = panel.querySelector('ul');
const memory = remembered('naps');
let stream;
let running = [];

napsForm.addEventListener('submit', (event) => {
  event.preventDefault();
  const { times, seconds } = napsForm;
  void attempt(section, napsForm.querySelector('button'), async () => {
    const naps = await post('first-steps/naps', { times: times.valueAsNumber, seconds: seconds.valueAsNumber });
    for (const earlier of memory.list()) memory.remove(earlier.id);
    const ids = naps.map(({ id }) => id);
    memory.add({ id: ids[0], ids });
    watch(ids);
  });
});

panel.querySelector('button').addEventListener('click', () => {
  for (const id of running) void cancel(id);
});

for (const { ids } of memory.list()) watch(ids);
enable(section);

function watch(ids) {
  const states = new Map(ids.map((id) => [id, 'queued']));
  panel.hidden = false;
  dots.replaceChildren(...ids.map(() => document.createElement('li')));
  draw();

  stream?.close();
  stream = new EventSource(`first-steps/naps?ids=${ids.join()}`);
  stream.addEventListener('message', ({ data }) => {
    const { id, state } = JSON.parse(data);
    states.set(id, state);
    draw();
  });

  function draw() {
    running = ids.filter((id) => !isFinal(states.get(id)));
    ids.forEach((id, index) => (dots.children[index].dataset.state = states.get(id)));
    const number = (state) => [...states.values()].filter((each) => each === state).length;
    const text = `${number('running')} asleep, ${number('succeeded')} of ${ids.length} awake again`;
    const cancelled = number('cancelled');
    panel.querySelector('output').textContent = cancelled ? `${text}, ${cancelled} cancelled` : text;
    panel.querySelector('button').hidden = running.length === 0;
    if (running.length === 0) stream?.close();
  }
}
