import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';

/** The element as a foreign page sees it. Its frame's address leads nowhere here; what it relays is what is tested. */
let element: HTMLElement;
let frame: HTMLIFrameElement;
const heard: unknown[] = [];
const hear = (event: Event): void => void heard.push((event as CustomEvent).detail);

beforeAll(async () => {
  const script = document.createElement('script');
  // Never loaded: the loader only looks for its own address.
  script.type = 'text/plain';
  script.src = '/widget.js';
  document.head.append(script);
  await import('./loader.ts');
});

beforeEach(() => {
  heard.length = 0;
  addEventListener('tessera-state', hear);
  element = document.createElement('tessera-widget');
  element.setAttribute('site', 's_a&b');
  document.body.append(element);
  frame = element.shadowRoot!.querySelector('iframe')!;
});
afterEach(() => {
  removeEventListener('tessera-state', hear);
  element.remove();
});

const state = { state: 'running', tiles: 3, earned: '5' };
function say(data: unknown, source: MessageEventSource | null = frame.contentWindow, origin = location.origin): void {
  dispatchEvent(new MessageEvent('message', { data, source, origin }));
}

it('frames the script’s own origin, with the site and nothing that starts anything', () => {
  expect(frame.src).toBe(`${location.origin}/widget/frame?site=s_a%26b`);
  expect([frame.width, frame.height]).toEqual(['320', '96']);
  expect(frame.title).not.toBe('');
  element.setAttribute('autostart', '');
  expect(frame.src).toBe(`${location.origin}/widget/frame?site=s_a%26b`);
});

it('keeps its place without a style element, and loads when it is near', () => {
  expect(element.shadowRoot!.querySelector('style')).toBeNull();
  expect(element.getBoundingClientRect()).toMatchObject({ width: 320, height: 96 });
  expect(frame.loading).toBe('lazy');
});

it('has what its frame said as properties that nobody can set', () => {
  expect(element).toMatchObject({ state: 'asking', tiles: 0, earned: '0' });
  say(state);
  expect(element).toMatchObject(state);
  expect(() => Object.assign(element, { state: 'stopped' })).toThrow(TypeError);
  expect(element).toMatchObject(state);
});

it('passes on what its frame says, and no more than that', () => {
  say({ ...state, secret: 'x' });
  expect(heard).toEqual([state]);
});

it.each([
  ['another window', () => say(state, window)],
  ['no window', () => say(state, null)],
  ['another origin', () => say(state, frame.contentWindow, 'https://evil.example')],
  ['another shape', () => say({ state: 'running' })],
  ['nothing', () => say(null)],
])('ignores %s', (_what, act) => {
  act();
  expect(heard).toEqual([]);
});

it('is silent, and its frame gone, once it is removed', () => {
  const { contentWindow } = frame;
  element.remove();
  expect(frame.contentWindow).toBeNull();
  say(state, contentWindow);
  expect(heard).toEqual([]);
});
