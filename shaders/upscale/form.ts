import { Type } from 'typebox';
import type { Field, Slider } from '../../shared/workload.ts';
import { imageLimits } from './limits.ts';
import { scales } from './network.ts';
import type { UpscaleParams } from './params.ts';

/** What can be ordered, and the controls that say it. */

export const params = Type.Object(
  {
    /** How many times as wide and high the picture gets. */
    scale: Type.Union([Type.Literal('2'), Type.Literal('3'), Type.Literal('4')]),
  },
  { additionalProperties: false },
);

export const fields: readonly Field[] = [
  {
    kind: 'file',
    name: 'image',
    label: 'Picture',
    help: `PNG, JPEG or WebP. What comes out has at most ${imageLimits.outputEdgePixelsMax} × ${imageLimits.outputEdgePixelsMax} pixels. Other people’s computers do the work and get to see it.`,
    accept: '.png,.jpg,.jpeg,.webp,image/png,image/jpeg,image/webp',
    required: true,
  },
  {
    kind: 'choice',
    name: 'scale',
    label: 'Enlargement',
    help: 'How many times as wide and as high. Each has a network of its own.',
    options: scales.map((scale) => ({ value: String(scale), label: `${scale} ×` })),
    advanced: true,
  },
];

export const sliders: readonly Slider<UpscaleParams>[] = [
  {
    name: 'size',
    label: 'Enlargement',
    ways: [
      {
        label: 'Enlargement',
        help: 'How many times as wide and as high the picture becomes.',
        stops: [...scales],
        read: ({ scale }) => Number(scale),
        write: (_, stop) => ({ scale: String(stop) as UpscaleParams['scale'] }),
        say: ({ scale }) => `${scale} times as wide and high`,
      },
    ],
  },
];
