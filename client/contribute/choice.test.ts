import { afterEach, expect, it, vi } from 'vitest';
import { limits } from '../../shared/limits.ts';
import type { JobId } from '../../shared/model.ts';
import { type Choices, defaultChoices, preferencesOf, rememberChoices, rememberedChoices, withBlocked, withoutBlocked } from './choice.ts';

afterEach(() => vi.unstubAllGlobals());

const tag = (number: number): string => `tag${String(number).padStart(9, '0')}`;
function storage(text: string | null = null) {
  const kept = { text };
  vi.stubGlobal('localStorage', { getItem: () => kept.text, setItem: (_: string, value: string) => (kept.text = value) });
  return kept;
}

it('remembers what was chosen', () => {
  storage();
  expect(rememberedChoices()).toEqual(defaultChoices);
  const choices: Choices = { kinds: ['render'], groupsOnly: true, ownFirst: false, blocked: [{ requester: tag(1), title: 'Kitchen' }] };
  rememberChoices(choices);
  expect(rememberedChoices()).toEqual(choices);
});

it.each([
  '',
  'null',
  '7',
  '[]',
  '{"kinds":[""],"groupsOnly":"yes","blocked":"all"}',
  `{"kinds":[${'"x",'.repeat(17)}"x"],"blocked":[null,{"requester":"short"}]}`,
])('keeps the defaults where storage holds %j', (text) => {
  storage(text);
  expect(rememberedChoices()).toEqual(defaultChoices);
});

it('keeps the defaults where storage is switched off', () => {
  const off = () => {
    throw new DOMException('denied', 'SecurityError');
  };
  vi.stubGlobal('localStorage', { getItem: off, setItem: off });
  expect(rememberedChoices()).toEqual(defaultChoices);
  expect(() => rememberChoices(defaultChoices)).not.toThrow();
});

it('blocks a requester once, forgets the oldest beyond the cap, and unblocks', () => {
  let choices = defaultChoices;
  for (let number = 0; number <= limits.blockedRequestersMax; number++) choices = withBlocked(choices, { requester: tag(number), title: `Job ${number}` });
  expect(choices.blocked).toHaveLength(limits.blockedRequestersMax);
  expect(choices.blocked[0]?.requester).toBe(tag(1));
  choices = withBlocked(choices, { requester: tag(5), title: 'Again' });
  expect(choices.blocked.filter(({ requester }) => requester === tag(5))).toEqual([{ requester: tag(5), title: 'Again' }]);
  expect(withoutBlocked(choices, tag(5)).blocked).toHaveLength(limits.blockedRequestersMax - 1);
});

it('tells the coordinator names of requesters and not the titles', () => {
  const choices = withBlocked({ ...defaultChoices, groupsOnly: true }, { requester: tag(1), title: 'Kitchen' });
  expect(preferencesOf(choices)).toEqual({ groupsOnly: true, ownFirst: true, blocked: [tag(1)] });
  expect(preferencesOf({ ...choices, kinds: ['render'] }).kinds).toEqual(['render']);
  const job = 'j_0000000000000001' as JobId;
  expect(preferencesOf(defaultChoices, job)).toMatchObject({ job });
});
