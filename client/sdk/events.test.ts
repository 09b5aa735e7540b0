import { expect, test } from 'vitest';
import { readEvents, type ServerEvent } from './events.ts';

const stream = (...pieces: readonly string[]): ReadableStream<Uint8Array> => ReadableStream.from(pieces.map((piece) => new TextEncoder().encode(piece)));

async function all(...pieces: readonly string[]): Promise<ServerEvent[]> {
  return Array.fromAsync(readEvents(stream(...pieces)));
}

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
    expect(await Array.fromAsync(readEvents(ReadableStream.from(pieces)))).toEqual(whole);
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
