import { beforeAll, describe, expect, it } from 'vitest';
import { fullMask, type JobId } from '../../shared/model.ts';
import { InputError } from '../../shared/workload.ts';
import { load, render } from './check.ts';
import { extension } from './extension.ts';
import { gridOf, isFeaturePass, lightPasses, partsIn } from './grid.ts';
import { defaults, type RenderJob, type RenderParams, type RenderPrepared } from './params.ts';
import { prepare } from './prepare.ts';
import { ELEMENT_WORDS, spec } from './spec.ts';

const base: RenderParams = { ...defaults, scene: 'cornell', width: 24, height: 16, samples: 5, bounces: 2, layers: 'all' };
const none = {} as RenderPrepared;
const more = (params: RenderParams, wanted: object): RenderParams => extension.params(params, none, { ...wanted });

describe('what may be raised', () => {
  it('is a number of samples, in passes behind those that are there', () => {
    const once = more(base, { samples: 9 });
    expect(once).toEqual({ ...base, samples: 9, stages: [5] });
    expect(more(once, { samples: 20 })).toEqual({ ...base, samples: 20, stages: [5, 9] });
  });

  it('is less noise, which computes what was left out, with or without more samples', () => {
    const noisy = { ...base, noise: 0.1 };
    expect(more(noisy, { noise: 0.05 })).toEqual({ ...noisy, noise: 0.05 });
    expect(more(noisy, { noise: 0 })).toEqual({ ...noisy, noise: 0 });
    expect(more(noisy, { noise: 0.05, samples: 9 })).toEqual({ ...noisy, noise: 0.05, samples: 9, stages: [5] });
    // Of a picture with all samples everywhere, more only where noise is left.
    expect(more(base, { samples: 9, noise: 0.02 })).toEqual({ ...base, noise: 0.02, samples: 9, stages: [5] });
  });

  it.each([
    [base, { samples: 4 }, 'samples'],
    [base, { samples: 5 }, 'samples'],
    [base, {}, 'samples'],
    [base, { noise: 0.5 }, 'samples'],
    [{ ...base, noise: 0.1 }, { noise: 0.2 }, 'noise'],
    [{ ...base, noise: 0.1 }, { noise: 0.2, samples: 99 }, 'noise'],
    [{ ...base, noise: 0.1 }, { samples: 5, noise: 0.1 }, 'noise'],
  ])('is not less, nor the same: %o %o', (params, wanted, field) => {
    const refusal = (): RenderParams => more(params, wanted);
    expect(refusal).toThrow(InputError);
    try {
      refusal();
    } catch (error) {
      expect([(error as InputError).field, (error as InputError).limit !== undefined]).toEqual([field, true]);
    }
  });

  it('is named by fields of the form', () => expect(extension.fields).toEqual(['samples', 'noise']));
});

describe('an extended picture', () => {
  let prepared: RenderPrepared;
  let inputs: Readonly<Record<string, Uint8Array>>;
  beforeAll(async () => {
    ({ prepared, inputs } = await prepare(base, {}));
  });

  const jobOf = (params: RenderParams): RenderJob => ({ id: 'j_extension0000000' as JobId, seed: 7, params, prepared });

  /** Sums of all passes of one kind, by tile. */
  function sums(job: RenderJob, features: boolean): number[][] {
    const scene = load(job, inputs);
    const { passes, tiles } = gridOf(job.params);
    return Array.from({ length: tiles }, (_, tile) => {
      const total = new Array<number>(spec.elements(job, { pass: features ? lightPasses(base).length : 0, tile }) * ELEMENT_WORDS).fill(0);
      for (let pass = 0; pass < passes; pass++) {
        if (isFeaturePass(job.params, pass) !== features) continue;
        for (const { bytes } of render(scene, job, { pass, tile }, fullMask(partsIn(job.params, pass))))
          for (const [at, word] of new Uint32Array(bytes.buffer).entries()) total[at]! += word;
      }
      return total;
    });
  }

  it('is bit for bit that of an order for all samples at once', async () => {
    const extended = jobOf(more(more(base, { samples: 9 }), { samples: 70 }));
    const atOnce = jobOf({ ...base, samples: 70 });
    expect((await prepare(atOnce.params, {})).inputs.scene).toEqual(inputs.scene);
    expect(gridOf(extended.params)).not.toEqual(gridOf(atOnce.params));
    const light = sums(extended, false);
    expect(light).toEqual(sums(atOnce, false));
    expect(light.flat().some((word) => word > 0)).toBe(true);
  });

  it('keeps its features, of as many samples as it had first', () => {
    expect(sums(jobOf(more(base, { samples: 40 })), true)).toEqual(sums(jobOf(base), true));
  });

  it('costs for what it had what it did', () => {
    const [before, after] = [jobOf(base), jobOf(more(base, { samples: 200 }))];
    const { passes, tiles } = gridOf(base);
    for (let pass = 0; pass < passes; pass++)
      for (let tile = 0; tile < tiles; tile++) {
        expect(spec.work(after, { pass, tile })).toBe(spec.work(before, { pass, tile }));
        expect(spec.parts(after, { pass, tile })).toBe(spec.parts(before, { pass, tile }));
      }
  });

  it('may leave out all of its passes of light but the first, in their order, and never that of features', () => {
    const job = jobOf(more({ ...base, noise: 0.1 }, { samples: 600 }));
    const { passes } = gridOf(job.params);
    const feature = Array.from({ length: passes }, (_, pass) => pass).filter((pass) => isFeaturePass(job.params, pass));
    expect(feature).toEqual([1]);
    expect(spec.adaptivePasses(job)).toEqual(Array.from({ length: passes }, (_, pass) => pass).filter((pass) => pass !== 1));
  });
});
