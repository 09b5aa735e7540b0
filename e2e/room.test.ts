import { expect, test } from 'vitest';
import { startChild } from '../scripts/child.ts';
import { root } from '../scripts/pages.ts';

/** The whole product in one scene, as its command plays it: `npm run room -- --local N`. */

const SECONDS = 200;

interface Figures {
  readonly [name: string]: number;
}

test('unlike devices render one picture on a wall; liars come, the coordinator is killed, and the papers are in order', { timeout: 240_000 }, async () => {
  const args = ['scripts/room.ts', '--local', '3', '--seconds', String(SECONDS), '--width', '96', '--samples', '96', '--json'];
  const lines: string[] = [];
  const room = startChild(process.execPath, args, { cwd: root, env: process.env, onLine: (line) => lines.push(line) });
  const code = await room.exited;
  expect(code, room.tail()).toBe(0);
  const { suite, figures } = JSON.parse(lines.at(-1) ?? 'null') as { suite: string; figures: Figures };
  expect(suite).toBe('room');
  expect(figures).toMatchObject({ liars_earned_micro: 0, honest_accused: 0, kills: 1, lost_over_kill: 0, receipt_verified: 1 });
  expect(figures.parts_accepted).toBe(figures.parts);
  expect(figures.liars_found).toBeGreaterThan(0);
  expect(figures.acknowledged_at_kill).toBeGreaterThan(0);
  expect(figures.checking_share).toBeGreaterThan(0);
  expect(figures.accept_to_paint_ms_p95).toBeGreaterThan(0);
});
