import { describe, expect, it } from 'vitest';
import { grantOf, runOf, saysStop } from './messages.ts';

const opened = {} as Window;
const own = 'https://tessera.example';
const grant = { consent: { id: 'k_0000000000000000' } };
const run = { type: 'tessera-run', report: { state: 'running', tiles: 1, earned: '0' }, message: null };

describe.each([
  ['a grant', { type: 'tessera-grant', grant }, grant, null, grantOf],
  ['how the work goes', run, run, null, runOf],
  ['stop', { type: 'tessera-stop' }, true, false, saysStop],
] as const)('%s', (_what, data, taken, refused, of) => {
  it('is taken from the window at the other end, on our own origin', () => expect(of({ source: opened, origin: own, data }, opened, own)).toEqual(taken));

  it.each([
    ['another window', { source: {} as Window, origin: own, data }, opened],
    ['another origin', { source: opened, origin: 'https://evil.example', data }, opened],
    ['no window is there', { source: null, origin: own, data }, null],
    ['another message', { source: opened, origin: own, data: { ...data, type: 'hello' } }, opened],
    ['no message', { source: opened, origin: own, data: null }, opened],
    ['text', { source: opened, origin: own, data: data.type }, opened],
  ])('is refused when: %s', (_why, event, window) => expect(of(event, window, own)).toEqual(refused));
});

it.each([
  ['grant', grantOf],
  ['report', runOf],
])('a message without its %s is none', (_what, of) => {
  for (const type of ['tessera-grant', 'tessera-run']) expect(of({ source: opened, origin: own, data: { type } }, opened, own)).toBeNull();
});
