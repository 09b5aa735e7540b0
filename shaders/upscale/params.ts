import type { Static } from 'typebox';
import type { JobContext } from '../../shared/model.ts';
import type { params } from './form.ts';
import type { Scale } from './network.ts';

/** What was ordered, and the facts that `prepare.ts` finds out about it. */
export type UpscaleParams = Static<typeof params>;

export const defaults: UpscaleParams = { scale: '2' };

export const scaleOf = ({ scale }: UpscaleParams): Scale => Number(scale) as Scale;

/** The pixels are the input blob `image` (RGB, a byte each, rows from the top), the network's numbers the blob `weights`. */
export interface UpscalePrepared {
  /** Of the image, in pixels. */
  readonly width: number;
  readonly height: number;
  /** Multiplications and additions that the CPU reference does in a millisecond on the coordinator that prepared this, for the audit budget. */
  readonly cpuMacsPerMs: number;
}

export type UpscaleJob = JobContext<UpscaleParams, UpscalePrepared>;
