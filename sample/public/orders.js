import { attempt, enable, finish, post, setText } from './tasks.js';

const load = document.getElementById('load');
const order = document.getElementById('order');
const ways = {
  direct: wayCard('Directly'),
  queue: wayCard('Through the queue'),
};
load.querySelector('.ways').append(...Object.values(ways).map(({ element }) => element));

const place = await (await fetch('/orders/place')).json();
setText(document.getElementById('place'), placeText(place));
enable(load);
if (place.isServer) enable(order);
else order.querySelector('.note').hidden = false;

/* A load, as it runs */

load.querySelector('form').addEventListener('submit', (event) => {
  event.preventDefault();
  const { shops, orders } = event.target;
  const buttons = load.querySelectorAll('[name=way]');
  const way = event.submitter.value;
  void attempt(load, event.submitter, async () => {
    for (const button of buttons) button.disabled = true;
    try {
      const { id } = await post('/orders/loads', { way, shops: shops.valueAsNumber, orders: orders.valueAsNumber });
      await watch(id, ways[way]);
    } finally {
      for (const button of buttons) button.disabled = false;
    }
  });
});

const outage = document.getElementById('outage');
outage.addEventListener('click', () => void attempt(load, outage, () => post('/orders/outages', { seconds: 5 })));

function watch(id, card) {
  card.begin();
  return new Promise((resolve, reject) => {
    const stream = new EventSource(`/orders/loads/${id}`);
    stream.addEventListener('message', ({ data }) => {
      const view = JSON.parse(data);
      card.show(view);
      if (!view.isDone) return;
      stream.close();
      resolve();
    });
    stream.addEventListener('error', () => {
      // The browser opens a lost connection again by itself, but not one that was refused.
      if (stream.readyState === EventSource.CLOSED) reject(new Error('The load cannot be followed any longer.'));
    });
  });
}

function wayCard(title) {
  const element = document.getElementById('way').content.cloneNode(true).firstElementChild;
  const part = (selector) => element.querySelector(selector);
  const figure = (name, text) => setText(part(`[data-figure=${name}]`), text);
  const bar = part('progress');
  let points = [];
  part('h3').textContent = title;
  bar.setAttribute('aria-label', `Orders in the table: ${title}`);

  return {
    element,
    begin() {
      points = [];
    },
    show({ orders, written, accepted, refused, time, p50, p99, mostConnections, mostWaiting, isDatabaseUp, isDone }) {
      const seconds = time / 1000;
      [bar.max, bar.value] = [orders, written];
      setText(part('.state'), isDone ? 'Done' : isDatabaseUp ? 'Running' : 'The database is stopped');
      element.dataset.state = isDone ? 'succeeded' : isDatabaseUp ? 'running' : 'failed';
      figure('rate', seconds > 0 ? number(written / seconds) : '–');
      figure('mostConnections', number(mostConnections));
      figure('mostWaiting', number(mostWaiting));
      figure('wait', `${milliseconds(p50)} / ${milliseconds(p99)}`);
      figure('written', `${number(written)} of ${number(orders)}`);
      // An order is lost when its shop got an error, or got a success for a row that is not there at the end.
      figure('refused', number(refused + (isDone ? Math.max(0, accepted - written) : 0)));
      points.push([time, written]);
      const scaled = points.map(([at, rows]) => `${(at / Math.max(time, 1)) * 300},${58 - (rows / orders) * 56}`);
      part('polyline').setAttribute('points', scaled.join(' '));
    },
  };
}

function placeText({ orders, tasks, isServer, obstacle }) {
  const where = `Orders are in ${orders}, tasks in ${tasks}.`;
  if (obstacle) return `${where} ${obstacle}`;
  if (isServer) return `${where} Connections and waits are those that the server reports.`;
  return (
    `${where} This database has one connection, for which all writers wait in a line: what is counted are writers. ` +
    'Storing tasks in such a database too costs more than it saves; rates are worth comparing on a server: set SAMPLE_DATABASE_URL.'
  );
}

const number = (value) => Math.round(value).toLocaleString('en');
const milliseconds = (value) => `${value < 10 ? value.toFixed(1) : number(value)} ms`;

/* An order in a transaction */

order.querySelector('form').addEventListener('submit', (event) => {
  event.preventDefault();
  const output = order.querySelector('output');
  output.textContent = '';
  void attempt(order, event.submitter, async () => {
    const { id } = await post('/orders', { isPaid: event.submitter.value === 'true' });
    output.textContent = 'Ordered …';
    const { state, error } = await finish(id);
    output.textContent = state === 'succeeded' ? 'Ordered and confirmed.' : error.message;
  });
});
