import { expect, it } from 'vitest';
import { grantOf } from './messages.ts';

const opened = {} as Window;
const grant = { consent: { id: 'k_0000000000000000' } };
const data = { type: 'tessera-grant', grant };
const own = 'https://tessera.example';

it('takes a grant from the window it opened, on its own origin', () => {
  expect(grantOf({ source: opened, origin: own, data }, opened, own)).toBe(grant);
});

it.each([
  ['another window', { source: {} as Window, origin: own, data }, opened],
  ['another origin', { source: opened, origin: 'https://evil.example', data }, opened],
  ['no window was opened', { source: null, origin: own, data }, null],
  ['another message', { source: opened, origin: own, data: { type: 'hello', grant } }, opened],
  ['no message', { source: opened, origin: own, data: null }, opened],
  ['text', { source: opened, origin: own, data: 'tessera-grant' }, opened],
  ['no grant in it', { source: opened, origin: own, data: { type: 'tessera-grant' } }, opened],
])('refuses it when: %s', (_why, event, window) => expect(grantOf(event, window, own)).toBeNull());
