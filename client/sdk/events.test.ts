import { expect, test } from 'vitest';
import { readEvents, type ServerEvent } from './events.ts';

function streamOf(pieces: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
}

async function read(pieces: readonly Uint8Array[]): Promise<ServerEvent[]> {
  const events: ServerEvent[] = [];
  for await (const event of readEvents(streamOf(pieces))) events.push(event);
  return events;
}

const all = (...pieces: readonly string[]): Promise<ServerEvent[]> => read(pieces.map((piece) => new TextEncoder().encode(piece)));

test('events come with type, id and data of several lines', async () => {
  expect(await all('id: 7\nevent: tile\ndata: {"a":\ndata: 1}\n\n', 'data: x\n\n')).toEqual([
    { type: 'tile', data: '{"a":\n1}', id: '7' },
    { type: 'message', data: 'x', id: '7' },
  ]);
});

test('it does not matter where the network cuts', async () => {
  const text = ': heartbeat\r\n\r\nid: 1\r\nevent: job\r\ndata: grün 🙂\r\n\r\nevent: end\rdata: {}\r\r';
  const whole = await all(`${text}\n`);
  expect(whole.map(({ type, data }) => [type, data])).toEqual([
    ['job', 'grün 🙂'],
    ['end', '{}'],
  ]);
  const bytes = new TextEncoder().encode(`${text}\n`);
  for (const size of [1, 2, 3, 5, 7]) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.slice(at * size, (at + 1) * size));
    expect(await read(pieces)).toEqual(whole);
  }
});

test('an event that was cut off at the end is not told', async () => {
  expect(await all('data: whole\n\ndata: ha')).toEqual([{ type: 'message', data: 'whole', id: '' }]);
});

test('an event without an end is refused before it fills the memory', async () => {
  await expect(all('data: ', 'x'.repeat(5_000_000))).rejects.toThrow(RangeError);
});

test('who stops listening closes the stream', async () => {
  let cancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode('data: 1\n\n')),
    cancel: () => {
      cancelled = true;
    },
  });
  for await (const _ of readEvents(endless)) break;
  expect(cancelled).toBe(true);
});
