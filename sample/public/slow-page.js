import { follow, isFinal, post, setText } from './tasks.js';

const again = document.getElementById('again');
again.disabled = false;
again.addEventListener('click', () => location.reload());

const begun = performance.now();
try {
  const { weather, headlines } = await post('/slow-page');
  const took = Math.max(1, Math.round(performance.now() - begun));
  setText(
    document.getElementById('answered'),
    `The server answered after ${took} ms. Both parts were only enqueued by then.`,
  );
  fill('weather', weather, ({ city, degrees, sky }) => [`${city}: ${degrees} °C, ${sky}`]);
  fill('headlines', headlines, (lines) => lines.map(item));
} catch (reason) {
  const error = document.querySelector('main .error');
  error.textContent = reason.message;
  error.hidden = false;
}

/** Follows the task of a part by events, and shows its result in the part. */
function fill(name, id, draw) {
  const section = document.getElementById(name);
  const bar = section.querySelector('progress');
  follow(id, ({ state, progress, result, error }) => {
    if (progress) [bar.max, bar.value] = [progress.total, progress.current];
    setText(section.querySelector('.detail'), isFinal(state) ? (error?.message ?? '') : (progress?.message ?? ''));
    if (!isFinal(state)) return;
    bar.hidden = true;
    section.ariaBusy = 'false';
    if (state === 'succeeded') section.querySelector('.answer').replaceChildren(...draw(result));
  });
}

function item(textContent) {
  return Object.assign(document.createElement('li'), { textContent });
}
