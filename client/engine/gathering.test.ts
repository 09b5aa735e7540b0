import { expect, test } from 'vitest';
import { limits } from '../../shared/limits.ts';
import type { Ack } from '../../shared/protocol.ts';
import type { Answer, HandIn, Many, Open } from '../../shared/schemas.ts';
import { Gathering } from './gathering.ts';

const open = (bytes: number): Open => ({ result: 'r_0000000000000000' as Open['result'], hash: 'a'.repeat(64) as Open['hash'], inline: new Uint8Array(bytes) });

type Sent = readonly [command: string, message: unknown];

/** Answers every command with the bytes it brought. */
function gather(answer: (sent: Sent) => Ack<unknown> | null = echo): { gathering: Gathering; sent: Sent[] } {
  const sent: Sent[] = [];
  const gathering = new Gathering(async (...message) => {
    sent.push(message);
    return answer(message);
  });
  return { gathering, sent };
}

const sizeOf = (message: unknown): number => (message as Open).inline?.byteLength ?? 0;
const echo = ([command, message]: Sent): Ack<unknown> => ({
  data: command === 'many' ? (message as Many).map(([, each]) => ({ data: sizeOf(each) })) : sizeOf(message),
});

const add = (gathering: Gathering, sizes: readonly number[]) => Promise.all(sizes.map((size) => gathering.add(['open', open(size)])));

test('one alone goes as it is', async () => {
  const { gathering, sent } = gather();
  expect(await add(gathering, [7])).toEqual([{ data: 7 }]);
  expect(sent.map(([command]) => command)).toEqual(['open']);
});

test('what comes together goes together, and each has its own answer', async () => {
  const { gathering, sent } = gather();
  const sizes = Array.from({ length: limits.commandsPerMessageMax + 5 }, (_, index) => index);
  expect(await add(gathering, sizes)).toEqual(sizes.map((data) => ({ data })));
  expect(sent.map(([command, message]) => [command, (message as Many).length])).toEqual([
    ['many', limits.commandsPerMessageMax],
    ['many', 5],
  ]);
});

test('no message is larger than the coordinator takes, unless a command is', async () => {
  const { gathering, sent } = gather();
  const sizes = [30_000, 30_000, 100, limits.inlineResultBytesMax, limits.inlineResultBytesMax, 100];
  expect(await add(gathering, sizes)).toEqual(sizes.map((data) => ({ data })));
  const largest = sent.map(([command, message]) => (command === 'many' ? (message as Many).reduce((sum, [, each]) => sum + sizeOf(each), 0) : sizeOf(message)));
  expect(Math.max(...largest)).toBeLessThan(limits.socketMessageBytesMax);
  expect(sent.length).toBeLessThan(sizes.length);
});

test('an audit’s values count as bytes too', async () => {
  const { gathering, sent } = gather();
  const answer: Answer = { token: 'a'.repeat(22), values: new Uint8Array(40_000), computeMs: 1, leasesMax: 0 };
  await Promise.all([gathering.add(['answer', answer]), gathering.add(['answer', answer])]);
  expect(sent.map(([command]) => command)).toEqual(['answer', 'answer']);
});

test('a message without an answer, or refused, is so for each of its commands', async () => {
  expect(await add(gather(() => null).gathering, [1, 2])).toEqual([null, null]);
  const refusal = { error: { code: 'busy' as const, message: 'Later.' } };
  expect(await add(gather(() => refusal).gathering, [1, 2])).toEqual([refusal, refusal]);
  // A coordinator that answers fewer than it was asked has not answered the others.
  expect(await add(gather(() => ({ data: [{ data: 1 }] })).gathering, [1, 2])).toEqual([{ data: 1 }, null]);
});

test('hand-ins and openings share a message', async () => {
  const { gathering, sent } = gather();
  const handIn = { ...open(3), token: 't', parts: 1, root: 'b'.repeat(64), computeMs: 1, leasesMax: 0 } as unknown as HandIn;
  await Promise.all([gathering.add(['handIn', handIn]), gathering.add(['open', open(4)])]);
  const [, message] = sent[0]!;
  expect((message as Many).map(([command]) => command)).toEqual(['handIn', 'open']);
});
