import { expect, it } from '@jest/globals';
import { parseAnswer } from '../../../../../lib/engine/bullmq/embedded/lock/lock-socket.js';

it('reads the answer of a process', () => {
  const answer = { pid: 4711, host: 'web-1.example.com', holds: true };
  expect(parseAnswer(JSON.stringify(answer))).toEqual(answer);
});

it.each([null, 5, '', 'a b', 'a\nb', 'x'.repeat(256), undefined])('leaves out the host %j', (host) => {
  expect(parseAnswer(JSON.stringify({ pid: 1, host, holds: false }))).toEqual({ pid: 1, holds: false });
});

it.each([
  ...['', 'not json', '{"pid":1', 'null', '5', '[]', '{}', '{"holds":true}', '{"pid":1}', '{"pid":0,"holds":true}'],
  ...['{"pid":"1","holds":true}', '{"pid":1.5,"holds":true}', '{"pid":1,"holds":"true"}'],
])('does not read %s', (text) => {
  expect(parseAnswer(text)).toBeUndefined();
});
