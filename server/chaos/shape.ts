import { simSpec } from '../sim/spec.ts';

/** What both sides of `npm run chaos` know of the workload. */
export const ELEMENTS = 3;
export const WORDS = 4;
export const TILES = 200;
/** A coordinator that says nothing for so long is taken for dead. */
export const ALIVE_MS = 3000;

export const chaosSpec = { ...simSpec({ passes: 1, tiles: TILES }), parts: () => 1, elements: () => ELEMENTS, elementWords: () => WORDS };
