import convolve from './convolve.wgsl?raw';
import { BLOCK_PIXELS, header } from './plan.ts';
import shared from './shared.wgsl?raw';
import window from './window.wgsl?raw';

/**
 * Writes the convolution's kernel for a number of outputs. Sums are variables of their own: SwiftShader keeps arrays in memory, at two thirds of the speed.
 */

/**
 * Where an invocation has its inputs from. `shared`: workgroup memory, where a GPU reads what its neighbours need too. `direct`: the planes themselves; in
 * software a barrier costs more than it saves, so this is twice as fast there, and compiles in a tenth of the time.
 */
export type Memory = 'shared' | 'direct';

/** Fewer outputs share too little of their inputs: their layers are 3 % of the work. */
const SHARED_COLUMNS_MIN = 8;

/** Inputs of a step through workgroup memory: STEP of convolve.wgsl, in fours. */
export const STEP_INPUTS = 16;

/** Rows and vec4 of columns of an invocation, for the columns that a layer has (vec4): at most 16 sums, which is what registers hold. */
const shapes: Readonly<Record<number, readonly [tall: number, wide: number]>> = { 16: [8, 2], 12: [4, 3], 8: [4, 2], 7: [2, 7], 3: [2, 3], 1: [2, 1] };

const lines = (count: number, line: (index: number) => string): string => Array.from({ length: count }, (_, index) => line(index)).join('\n');

/** `columns`: vec4 of outputs. Throws `RangeError` for a number that no layer has. */
export function convolveSource(columns: number, memory: Memory): string {
  const shape = shapes[columns];
  if (!shape) throw new RangeError(`no layer has ${columns * 4} outputs`);
  const [tall, wide] = shape;
  const threads = (BLOCK_PIXELS / tall) * (columns / wide);
  const constants = header({ COLUMNS: columns, TALL: tall, WIDE: wide, THREADS: threads });
  const sum = (t: number, w: number): string => `sum${t}_${w}`;
  /** Four inputs times all outputs. `value`: of row t. `at`: where in `kernel` the four rows of the kernel are. */
  const add = (kernel: string, at: string, value: (t: number) => string): string => `
      let at = ${at} + column;
${lines(tall, (t) => `      let value${t} = ${value(t)};`)}
${lines(
  wide,
  (w) => `      {
        let x = ${kernel}[at + ${w}u];
        let y = ${kernel}[at + COLUMNS + ${w}u];
        let z = ${kernel}[at + 2u * COLUMNS + ${w}u];
        let q = ${kernel}[at + 3u * COLUMNS + ${w}u];
${lines(tall, (t) => `        ${sum(t, w)} = ${sum(t, w)} + value${t}.x * x + value${t}.y * y + value${t}.z * z + value${t}.w * q;`)}
      }`,
)}`;
  const isShared = memory === 'shared' && columns >= SHARED_COLUMNS_MIN;
  const body = isShared ? sharedLoop(add) : directLoop(tall, add);
  const main = `
@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let base = (work.first_block + group.x) * PIXELS;
  let row = local % ROWS;
  let column = local / ROWS * WIDE;
${lines(tall, (t) => lines(wide, (w) => `  var ${sum(t, w)} = vec4f();`))}
${body}
  var sums = array<vec4f, TALL * WIDE>(${Array.from({ length: tall * wide }, (_, at) => sum(Math.floor(at / wide), at % wide)).join(', ')});
  for (var t = 0u; t < TALL; t++) {
    for (var w = 0u; w < WIDE; w++) { finish(base + row + t * ROWS, column + w, sums[t * WIDE + w]); }
  }
}`;
  return [constants, window, convolve, ...(isShared ? [shared] : []), main].join('\n');
}

type Add = (kernel: string, at: string, value: (t: number) => string) => string;

const sharedLoop = (add: Add): string => `
  for (var pixel = local; pixel < PIXELS; pixel += THREADS) { starts[pixel] = startsOf(base + pixel); }
  workgroupBarrier();
  // THREADS is a multiple of STEP: an invocation fetches the same inputs of all its pixels.
  var cursor = advanced(Cursor(), local % STEP);
  let steps = stepsOf();
  for (var step = 0u; step < steps; step++) {
    for (var i = local; i < STEP * PIXELS; i += THREADS) { inputs[i % STEP * PITCH + i / STEP] = inputAt(starts[i / STEP], cursor); }
    cursor = advanced(cursor, STEP);
    for (var i = local; i < STEP * 4u * COLUMNS; i += THREADS) { kernel[i] = weights[step * STEP * 4u * COLUMNS + i]; }
    workgroupBarrier();
    for (var k = 0u; k < STEP; k++) {${add('kernel', 'k * 4u * COLUMNS', (t) => `inputs[k * PITCH + row + ${t}u * ROWS]`)}
    }
    workgroupBarrier();
  }`;

const directLoop = (tall: number, add: Add): string => `
${lines(tall, (t) => `  let start${t} = startsOf(base + row + ${t}u * ROWS);`)}
  var next = 0u;
  for (var y = 0u; y < work.edge; y++) {
    for (var x = 0u; x < work.edge; x++) {
      let tap = y * (work.width + 2u * work.first_margin) + x;
      for (var channel = 0u; channel < work.first; channel++) {${add('weights', 'next', (t) => `first[(start${t}.x + tap) * work.first + channel]`)}
        next += 4u * COLUMNS;
      }
    }
  }
  for (var channel = 0u; channel < work.second; channel++) {${add('weights', 'next', (t) => `second[start${t}.y * work.second + channel]`)}
    next += 4u * COLUMNS;
  }`;
