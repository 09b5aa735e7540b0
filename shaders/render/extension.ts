import { type Extension, InputError } from '../../shared/workload.ts';
import { type RenderParams, type RenderPrepared, settingsOf } from './params.ts';

/**
 * More of a finished picture: more samples, or less noise. More samples come in passes behind those that are there (`grid.ts`). Less noise alone
 * adds none: passes that were left out on tiles that are not good enough any more are computed.
 */
export const extension: Extension<RenderParams, RenderPrepared> = {
  fields: ['samples', 'noise'],
  params(params, _prepared, wanted) {
    const before = settingsOf(params);
    const { samples = before.samples, noise = before.noise } = wanted as { readonly samples?: number; readonly noise?: number };
    if (samples < before.samples) throw new InputError('samples', `The picture has ${before.samples} samples already.`, `at least ${before.samples}`);
    if (before.noise > 0 && noise > before.noise)
      throw new InputError('noise', `The picture has no more noise than ${before.noise} already.`, `0 to ${before.noise}`);
    if (samples > before.samples) return { ...params, samples, noise, stages: [...(params.stages ?? []), before.samples] };
    if (before.noise === 0) throw new InputError('samples', `The picture has all of its ${before.samples} samples everywhere.`, `more than ${before.samples}`);
    if (noise === before.noise) throw new InputError('noise', 'This is what was ordered.', `less than ${before.noise}, or more samples`);
    return { ...params, noise };
  },
};
