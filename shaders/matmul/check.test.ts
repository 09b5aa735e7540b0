import { describe, expect, it } from 'vitest';
import { encodeResult, wordsOf } from '../../shared/formats.ts';
import { fullMask } from '../../shared/model.ts';
import { load, render, verify } from './check.ts';
import { spec } from './spec.ts';
import { testProducts } from './testing/jobs.ts';

const keys = { job: new Uint8Array(32).fill(1), result: new Uint8Array(32).fill(2) };

describe.each(await testProducts())('$name', ({ job, inputs }) => {
  const loaded = load(job, inputs);
  const { tiles } = spec.split(job.params, job.prepared);
  const ats = Array.from({ length: tiles }, (_, tile) => ({ pass: 0, tile }));
  const encode = (at: (typeof ats)[number], words: Uint32Array): Uint8Array =>
    encodeResult([{ part: 0, bytes: new Uint8Array(words.buffer) }], spec.elements(job, at), spec.elementWords(job, at));
  const honest = (at: (typeof ats)[number]): Uint32Array => {
    const [part] = render(loaded, job, at, fullMask(1)) as { part: number; bytes: Uint8Array }[];
    return new Uint32Array(wordsOf(part!.bytes, part!.bytes.byteLength / 4));
  };

  it('is right where it was computed', () => {
    for (const at of ats) expect(verify(loaded, job, at, encode(at, honest(at)), keys)).toMatchObject({ wrong: 0, where: '' });
  });

  it('is wrong where one entry is, and says which row', () => {
    for (const at of ats) {
      const words = honest(at);
      const place = Math.floor(words.length / 2);
      if (job.prepared.exact) words[place]! += 1;
      else {
        const floats = new Float32Array(words.buffer);
        floats[place] = floats[place]! + 0.1 * Math.sqrt(job.prepared.k);
      }
      const row = Math.floor(place / spec.elementWords(job, at));
      const { wrong, worst, where } = verify(loaded, job, at, encode(at, words), keys);
      expect(wrong).toBe(1);
      expect(worst).toBeGreaterThan(1);
      expect(where).toContain(`1 of its ${spec.elements(job, at)} rows are wrong, the first is row `);
      expect(Number(/row (\d+)$/.exec(where)![1]) - row).toBeGreaterThanOrEqual(0);
    }
  });

  it('is wrong where nothing was computed', () => {
    const [at] = ats;
    const nothing = honest(at!).fill(0);
    expect(verify(loaded, job, at!, encode(at!, nothing), keys).wrong).toBeGreaterThan(0.7 * spec.elements(job, at!));
  });

  it('needs its inputs', () => {
    for (const name of Object.keys(inputs)) expect(() => load(job, { ...inputs, [name]: inputs[name]!.subarray(4) })).toThrow('bytes, expected');
  });
});
