/**
 * What the pages need to know of tasks: how to start one, follow it, cancel it, and find it again after a reload.
 */

const FINAL = ['succeeded', 'failed', 'cancelled', 'expired', 'gone'];

/** A browser opens six connections to a site, all its tabs together: the rest is for questions. */
const MAX_STREAMS = 2;
let streams = 0;

export const isFinal = (state) => FINAL.includes(state);

/** How a task's state is told. */
export const STATES = {
  scheduled: 'Waiting',
  queued: 'Waiting',
  waiting: 'Waiting',
  running: 'Running',
  retrying: 'Trying again',
  succeeded: 'Done',
  failed: 'Failed',
  cancelled: 'Cancelled',
  expired: 'Too late',
  gone: 'Gone',
};

/** Only changes are written: a screen reader reads each aloud. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export const post = (url, body) => send('POST', url, body);

/** Sends a form, a JSON body or nothing; an answer that says no becomes an error with its reason. */
export async function send(method, url, body, headers = {}) {
  const isJson = body !== undefined && !(body instanceof FormData);
  const response = await fetch(url, {
    method,
    headers: { ...headers, ...(isJson && { 'Content-Type': 'application/json' }) },
    body: isJson ? JSON.stringify(body) : body,
  }).catch(() => {
    throw new Error('The server cannot be reached. Try again in a moment.');
  });
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw Object.assign(new Error(reasonOf(answer, response)), { status: response.status });
}

function reasonOf({ detail, message }, { status }) {
  return [detail ?? message ?? `The server answered ${status}.`].flat().join(' ');
}

/**
 * Calls `show` with the task's status now and at every change, the last one final: through server-sent events, or by
 * asking again and again where those do not come through.
 */
export function follow(id, show) {
  if (streams >= MAX_STREAMS) return void poll(id, show);
  const stream = new EventSource(`/tasks/${id}`);
  streams += 1;
  const close = () => {
    clearTimeout(patience);
    stream.close();
    streams -= 1;
  };
  const giveUp = () => {
    close();
    void poll(id, show);
  };
  const patience = setTimeout(giveUp, 3000);
  stream.addEventListener('status', ({ data }) => {
    clearTimeout(patience);
    const status = JSON.parse(data);
    if (isFinal(status.state)) close();
    show(status);
  });
  stream.addEventListener('error', () => {
    // A lost connection the browser opens again by itself; a refused one it does not.
    if (stream.readyState === EventSource.CLOSED) giveUp();
  });
}

async function poll(id, show) {
  for (;;) {
    let pause = 2;
    try {
      const response = await fetch(`/tasks/${id}`);
      if (response.status === 404) return show({ id, state: 'gone' });
      if (response.ok) {
        const status = await response.json();
        show(status);
        if (isFinal(status.state)) return;
        pause = Number(response.headers.get('Retry-After')) || 1;
      }
    } catch {
      // The server is away: it may come back.
    }
    await new Promise((resolve) => setTimeout(resolve, pause * 1000));
  }
}

/** Asks for the cancellation; how it ends comes to those who follow the task. */
export const cancel = (id) => fetch(`/tasks/${id}`, { method: 'DELETE' });

/** Waits for a short task's end. */
export async function finish(id) {
  for (;;) {
    const status = await (await fetch(`/tasks/${id}?wait=20`)).json();
    if (isFinal(status.state)) return status;
  }
}

/** A list in the browser's storage: a reload finds it again. */
export function remembered(key) {
  const read = () => JSON.parse(localStorage.getItem(key) ?? '[]');
  const write = (list) => localStorage.setItem(key, JSON.stringify(list.slice(0, 20)));
  return {
    list: read,
    add: (entry) => write([entry, ...read()]),
    remove: (id) => write(read().filter((entry) => entry.id !== id)),
  };
}

/** What is pressed before its script is there would be lost, so the HTML disables it: now it works. */
export function enable(section) {
  for (const control of section.querySelectorAll('button, [type=file]')) control.disabled = false;
}

/** Runs what a button or form does: while it runs no second click counts, and what goes wrong is said beside it. */
export async function attempt(section, button, action) {
  const error = section.querySelector('.error');
  error.hidden = true;
  button.disabled = true;
  try {
    await action();
  } catch (reason) {
    error.textContent = reason.message;
    error.hidden = false;
  } finally {
    button.disabled = false;
  }
}
