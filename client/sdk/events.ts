/** Server-sent events, as the HTML standard's section 9.2 describes them. */

export interface ServerEvent {
  /** `message` unless the stream says otherwise. */
  readonly type: string;
  readonly data: string;
  /** Where a reconnection goes on; empty before the first. */
  readonly id: string;
}

/** Longer than any event of ours. */
const EVENT_CHARS_MAX = 4 * 1024 * 1024;

/** Reads a `text/event-stream` to its end. Throws when the connection breaks, or `RangeError` on an event without an end. */
export async function* readEvents(stream: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  let rest = '';
  let [type, id] = ['', ''];
  let data: string[] = [];
  const reader = stream.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      // A lone CR at the end may be the first half of a CRLF.
      const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? '';
      if (rest.length > EVENT_CHARS_MAX) throw new RangeError(`an event is longer than ${EVENT_CHARS_MAX} characters`);
      for (const line of lines) {
        if (line === '') {
          if (data.length > 0) yield { type: type || 'message', data: data.join('\n'), id };
          [type, data] = ['', []];
          continue;
        }
        const colon = line.indexOf(':');
        const name = colon < 0 ? line : line.slice(0, colon);
        const text = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
        if (name === 'event') type = text;
        else if (name === 'data') data.push(text);
        else if (name === 'id' && !text.includes('\0')) id = text;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
