import type { Output } from '../../shared/workload.ts';
import { type RenderParams, settingsOf } from './params.ts';

/** What can be downloaded of a finished job. The pages show the first. */

const png: Output = { id: 'png', title: 'PNG, 8 bit', mediaType: 'image/png', extension: 'png' };

const ofOneFrame: readonly Output[] = [
  png,
  { id: 'png16', title: 'PNG, 16 bit', mediaType: 'image/png', extension: '16-bit.png' },
  { id: 'exr', title: 'EXR, linear', mediaType: 'image/x-exr', extension: 'exr' },
];

const ofFrames: readonly Output[] = [
  { ...png, title: 'first frame, PNG' },
  { id: 'apng', title: 'preview, animated PNG', mediaType: 'image/apng', extension: 'apng' },
  { id: 'frames', title: 'all frames, PNG, 8 bit', mediaType: 'application/zip', extension: 'png.zip', large: true },
  { id: 'frames-exr', title: 'all frames, EXR, linear', mediaType: 'application/zip', extension: 'exr.zip', large: true },
];

export const outputsOf = (params: RenderParams): readonly Output[] => (settingsOf(params).frames > 1 ? ofFrames : ofOneFrame);
