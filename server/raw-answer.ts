import { STATUS_CODES } from 'node:http';
import { SECOND_MS } from '../shared/limits.ts';

/** The text of an answer to what never became a request: to a socket that is refused, or to bytes that are no HTTP. */
export function rawAnswer(status: number, text: string, headers: Readonly<Record<string, string>>, retryMs?: number): string {
  const body = `${text}\n`;
  const all = {
    ...headers,
    connection: 'close',
    'cache-control': 'no-store',
    'content-type': 'text/plain; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    ...(retryMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryMs / SECOND_MS)) }),
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`;
}
