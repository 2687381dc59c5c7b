import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sseParser } from '../lib/sse.js';

function read(...chunks) {
  const heard = [];
  const feed = sseParser((event) => heard.push(event));
  chunks.forEach(feed);
  return heard;
}

const text = 'id: 7\nevent: alert\ndata: {"a":1}\n\n: a comment\n\nevent: here\ndata: {"b":2}\ndata: more\n\n';
const heard = [{ event: 'alert', data: '{"a":1}', id: '7' }, { event: 'here', data: '{"b":2}\nmore', id: '7' }];

test('events are read with their id, which stays', () => assert.deepEqual(read(text), heard));
test('wherever the text is cut', () => {
  for (let cut = 0; cut <= text.length; cut++) assert.deepEqual(read(text.slice(0, cut), text.slice(cut)), heard, `cut at ${cut}`);
  assert.deepEqual(read(...text), heard);
});
test('with any line end, cut anywhere', () => {
  const crlf = text.replace(/\n/g, '\r\n');
  for (let cut = 0; cut <= crlf.length; cut++) assert.deepEqual(read(crlf.slice(0, cut), crlf.slice(cut)), heard, `cut at ${cut}`);
});
test('an event without data, and one that has not ended, say nothing', () => assert.deepEqual(read('event: alert\n\n', 'data: x'), []));
