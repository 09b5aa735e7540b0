import { expect, it } from 'vitest';
import { shellPart } from './shell.ts';

const origin = 'https://tessera.example';
const partOf = (path: string, mode: RequestMode = 'cors', method = 'GET') => shellPart({ url: new URL(path, origin).href, mode, method }, origin);

it.each(['/', '/submit', '/jobs/j_0123456789abcdef', '/jobs/j_0123456789abcdef/receipt'])('%s is the page', (path) => {
  expect(partOf(path, 'navigate')).toBe('page');
  expect(partOf(path)).toBeNull();
});
it('hashed files are kept', () => expect(partOf('/assets/index-abc.js')).toBe('asset'));
it.each([
  '/api/jobs',
  '/api',
  '/blobs/abc',
  '/socket.io/?EIO=4',
  '/widget/frame?site=s',
  '/widget/consent',
  '/widget.js',
  '/healthz',
  'https://other.example/assets/a.js',
])('%s is never touched', (path) => {
  expect(partOf(path)).toBeNull();
  expect(partOf(path, 'navigate')).toBeNull();
});
it('nothing that changes something is touched', () => {
  expect(partOf('/', 'navigate', 'POST')).toBeNull();
  expect(partOf('/assets/a.js', 'cors', 'POST')).toBeNull();
});
