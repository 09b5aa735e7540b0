import { describe, expect, it } from 'vitest';
import type { PartMask, ResultId } from '../../../shared/model.ts';
import { type KnownResult, Results } from './results.svelte.ts';

const result = (name: string, tile: number, pass = 0, parts = 1): KnownResult => ({
  id: name as ResultId,
  tile,
  pass,
  parts: parts as PartMask,
  contributor: `by${tile % 3}`,
  drawn: 64 + tile,
  errorBound: 1e-4 / (tile + 1),
});

describe('Results', () => {
  it('gives back what was added, by tile and in the order of passes, whatever came between', () => {
    const results = new Results();
    const all = Array.from({ length: 3000 }, (_, index) => result(`r_${index}`, index % 700, Math.floor(index / 700), 1 + (index % 15)));
    for (const each of all.toReversed()) expect(results.add(each)).toBe(true);
    expect(results.add(all[5]!)).toBe(false);
    expect(results.count).toBe(3000);
    for (const tile of [0, 6, 699, 700, 5000]) expect(results.of(tile)).toEqual(all.filter((each) => each.tile === tile));
    expect([...results.all()].toSorted((a, b) => (a.id < b.id ? -1 : 1))).toEqual(all.toSorted((a, b) => (a.id < b.id ? -1 : 1)));
  });

  it('forgets what is taken back, from the middle of its tile too', () => {
    const results = new Results();
    const all = [0, 1, 2, 3].map((pass) => result(`r_${pass}`, 9, pass));
    for (const each of all) results.add(each);
    expect(results.remove('r_1' as ResultId)).toEqual(all[1]);
    expect(results.remove('r_1' as ResultId)).toBeUndefined();
    expect(results.of(9)).toEqual([all[0], all[2], all[3]]);
    expect(results.remove('r_3' as ResultId)).toEqual(all[3]);
    expect(results.add(all[1]!)).toBe(true);
    expect(results.of(9)).toEqual([all[0], all[1], all[2]]);
    expect(results.ids.toSorted()).toEqual(['r_0', 'r_1', 'r_2']);
  });

  it('lets bytes be asked for once, and again when they did not come', () => {
    const results = new Results();
    results.add(result('r_1', 0));
    const claim = () => results.claim('r_1' as ResultId);
    expect([claim(), claim()]).toEqual([true, false]);
    results.unclaim('r_1' as ResultId);
    expect([claim(), claim()]).toEqual([true, false]);
    results.unclaimAll();
    expect([claim(), results.claim('r_2' as ResultId)]).toEqual([true, false]);
  });
});
