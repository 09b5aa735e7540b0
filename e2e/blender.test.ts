import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Child, startChild } from '../scripts/child.ts';
import { root } from '../scripts/pages.ts';
import { WORK_MS_MAX } from './support/browser.ts';
import { TestCoordinator } from './support/coordinator.ts';
import { jobOf } from './support/job.ts';

/** A Blender user: price, job, picture, by the add-on’s own operators in a Blender without windows. The operator’s machine computes. */

function findsBlender(): boolean {
  try {
    execFileSync('blender', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const hasBlender = findsBlender();
/** Light is drawn at random: at 16 the mean of nine pixels was off by 6 % now and then. */
const SAMPLES = 128;

interface Story {
  readonly lines: readonly string[];
  readonly warnings: readonly string[];
  readonly params: Readonly<Record<string, unknown>>;
  readonly path: string;
  readonly size: readonly number[];
  readonly finite: boolean;
  readonly ours: Readonly<Record<'red' | 'green' | 'wall', readonly number[]>>;
  readonly cycles: Story['ours'];
  readonly difference: number;
  readonly job: string;
  readonly note: string;
  readonly cancelled: string;
}

describe.skipIf(!hasBlender)(hasBlender ? 'Blender' : 'Blender: skipped, there is no blender in PATH', () => {
  let coordinator: TestCoordinator;
  let contributor: Child;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tessera-blender-'));
    const key = randomBytes(24).toString('hex');
    coordinator = await TestCoordinator.start(undefined, { TRUSTED_KEYS: key });
    const command = ['client/headless.ts', '--url', coordinator.apiUrl, '--trusted', key];
    contributor = startChild(process.execPath, command, { cwd: root, env: process.env });
    await contributor.line(/Ctrl-C stops/, 30_000);
  });

  afterAll(async () => {
    await contributor?.stop();
    await coordinator?.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  test('a scene becomes a picture that shows what Blender’s camera sees', { timeout: 2 * WORK_MS_MAX }, async () => {
    const script = join(root, 'client/blender/testing/story.py');
    const command = ['--background', '--factory-startup', '--python-exit-code', '1', '--python', script, '--', coordinator.apiUrl, folder, String(SAMPLES)];
    const blender = startChild('blender', command, { cwd: folder, env: { ...process.env, BLENDER_USER_CONFIG: folder } });
    const [, text = ''] = await blender.line(/^story (.*)$/, WORK_MS_MAX);
    const story = JSON.parse(text) as Story;

    expect(story.lines[0]).toMatch(/^Price: at most 0\.\d+ credits$/);
    expect(story.params).toMatchObject({ width: 64, height: 48, samples: SAMPLES, bounces: 0, lighting: 'scene', camera: 0 });
    expect(story.warnings).toEqual([
      'Area lights cannot be sent; use planes with an Emission shader: "Window".',
      expect.stringMatching(/^Particles cannot be sent: "Out of sight: /),
      'Procedural base colours were baked into images of 64 px for "Wall".',
    ]);
    expect([story.size, story.finite]).toEqual([[48, 64, 3], true]);
    expect(existsSync(story.path)).toBe(true);
    // Of known radiance, 5 pixels wide, at those that Blender names: a picture two pixels off, mirrored or zoomed shows the wall there.
    expect(story.ours.red).toEqual([expect.closeTo(4, 2), expect.closeTo(0, 2), expect.closeTo(0, 2)]);
    expect(story.ours.green).toEqual([expect.closeTo(0, 2), expect.closeTo(2, 2), expect.closeTo(0, 2)]);
    // Baked colour, the sun’s unit and everything between, against Cycles.
    for (const [channel, value] of story.cycles.wall.entries()) expect(story.ours.wall[channel]! / value).toBeCloseTo(1, 1);
    expect(story.ours.wall[2]! / story.ours.wall[0]!).toBeCloseTo(7, 0);
    expect(story.difference).toBeLessThan(0.05);

    const job = await jobOf(coordinator, story.job);
    expect(job).toMatchObject({ status: 'done', parts: { accepted: job.parts.total } });
    expect([story.note, (await jobOf(coordinator, story.cancelled)).status]).toEqual(['The job is cancelled.', 'cancelled']);
    expect(await blender.exited).toBe(0);
  });
});
