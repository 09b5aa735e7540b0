import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import type { OperatorContributor, RoomView } from '../../shared/schemas.ts';
import { complaintsOf } from '../room.ts';
import { serveControls } from './control.ts';
import { accusedAmong, type Evidence } from './evidence.ts';
import { readOptions, UsageError } from './options.ts';
import { Recording } from './record.ts';

describe('arguments', () => {
  test('a real room and one that plays alone have sizes of their own', () => {
    expect(readOptions([])).toMatchObject({ width: 3840, height: 2160, samples: 256, port: 8080, local: null, isHttps: false, gpuHourUsd: 3 });
    expect(readOptions(['--local', '4', '--seconds', '120', '--json'])).toMatchObject({ width: 160, height: 90, port: 0, local: 4, seconds: 120, json: true });
    expect(readOptions(['--help'])).toBe('help');
  });
  test.each([
    [['--local', '0'], '--local'],
    [['--local', '17'], '--local'],
    [['--local', '2', '--https'], '--https'],
    [['--record', 'a.png'], '--record'],
    [['--width', '100'], '--width'],
    [['--samples', 'many'], '--samples'],
    [['--gpu-hour-usd', '-1'], '--gpu-hour-usd'],
    [['--kill'], 'kill'],
  ])('%j is refused by name', (args, named) => {
    expect(() => readOptions(args)).toThrow(UsageError);
    expect(() => readOptions(args)).toThrow(named);
  });
});

test('controls: only under the secret path, only what is allowed, and the answer goes out before the kill', async () => {
  const done: string[] = [];
  const view = { liarsPercent: 0 } as RoomView;
  const controls = { view: () => view, plant: (percent: number) => void done.push(`plant ${percent}`), kill: () => void done.push('kill'), reference: null };
  const { url, server } = await serveControls(controls);
  const ask = async (path: string, method = 'GET', body?: string): Promise<number> => (await fetch(path, { method, ...(body && { body }) })).status;
  expect(await ask(url)).toBe(200);
  expect(await ask(new URL('/', url).href)).toBe(404);
  expect(await ask(`${url}/reference`)).toBe(404);
  for (const body of ['{"liarsPercent":51}', '{"liarsPercent":5,"more":1}', '{', `{"liarsPercent":5${' '.repeat(2000)}}`])
    expect(await ask(url, 'POST', body)).toBe(400);
  expect(await ask(url, 'POST', '{"liarsPercent":25}')).toBe(200);
  expect(done).toEqual(['plant 25']);
  expect(await ask(`${url}/kill`, 'POST')).toBe(200);
  await expect.poll(() => done).toEqual(['plant 25', 'kill']);
  server.close();
});

test('a recording is an animated PNG that decoders read, with every colour nearly as it was', async () => {
  const colours = ['#1a7f4b', '#d08020', '#101317', '#eeeeee'];
  let at = 0;
  const screenshot = (): Promise<Buffer> =>
    sharp({ create: { width: 1600, height: 900, channels: 3, background: colours[at++ % colours.length]! } })
      .png()
      .toBuffer();
  const recording = new Recording({ screenshot } as unknown as Page);
  await recording.end();
  while (at < colours.length) await recording.take();
  const path = join(mkdtempSync(join(tmpdir(), 'tessera-film-')), 'film.png');
  const bytes = await recording.save(path);
  const file = readFileSync(path);
  expect(file.byteLength).toBe(bytes);
  expect(file.subarray(0, 2000).includes('acTL')).toBe(true);
  expect(file.toString('latin1').split('fcTL').length - 1).toBe(colours.length);
  const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height]).toEqual([960, 540]);
  for (const [channel, value] of [0x1a, 0x7f, 0x4b].entries()) expect(Math.abs(data[channel]! - value)).toBeLessThan(6);
});

const fine: Evidence = {
  tiles: 60,
  parts: 300,
  parts_accepted: 300,
  liars_planted: 3,
  liars_found: 2,
  liars_earned_micro: 0,
  honest_accused: 0,
  kills: 1,
  acknowledged_at_kill: 80,
  lost_over_kill: 0,
  back_after_ms: 3000,
  checking_share: 0.1,
  accept_to_paint_ms_p95: 100,
  receipt_verified: 1,
  contributors: 4,
  seconds: 60,
};

test('whatever is not as it should be is said', () => {
  expect(complaintsOf(fine)).toEqual([]);
  const wrongs: Partial<Evidence>[] = [
    { parts_accepted: 299 },
    { liars_found: 0 },
    { liars_earned_micro: 1 },
    { honest_accused: 1 },
    { acknowledged_at_kill: 0 },
    { lost_over_kill: 1 },
    { receipt_verified: 0 },
  ];
  for (const wrong of wrongs) expect(complaintsOf({ ...fine, ...wrong })).toHaveLength(1);
});

test('accused is who has a refuted result and was not planted', () => {
  const row = (id: string, refuted: number) => ({ id, refuted }) as OperatorContributor;
  expect(accusedAmong([row('c_a', 0), row('c_b', 2), row('c_liar', 1)], { ids: new Set(['c_liar']) })).toBe(1);
});
