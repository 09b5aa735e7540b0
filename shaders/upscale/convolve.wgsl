// A convolution as a product of matrices that are never written down: a row is a pixel, a column an output, and what is summed over are the taps of
// the kernel times the inputs. A workgroup makes PIXELS rows of all columns, an invocation TALL x WIDE vec4 of them: rows `row`, `row` + ROWS, ... and
// columns from `column` on. Every sum runs in the same order wherever in a window its pixel lies, so how a picture is cut changes no bit.
//
// Constants in front of this: COLUMNS (vec4 of outputs), TALL, WIDE, THREADS. convolve.ts writes `main` behind it. All else is the same code for all
// layers, so that few kernels are compiled.

// [taps x inputs, filled up with zeros to whole steps][COLUMNS], then the bias.
@group(0) @binding(2) var<storage, read> weights: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> output: array<vec4f>;
@group(0) @binding(4) var<storage, read> first: array<vec4f>;
// Kernels with two planes of inputs have one tap.
@group(0) @binding(5) var<storage, read> second: array<vec4f>;
@group(0) @binding(6) var<storage, read> residual: array<vec4f>;

// vec4 of inputs in a step.
const STEP = 4u;
const ROWS = PIXELS / TALL;

fn stepsOf() -> u32 {
  return (work.edge * work.edge * (work.first + work.second) + STEP - 1u) / STEP;
}

// Where the windows of a pixel's inputs start in the two planes.
fn startsOf(pixel: u32) -> vec2u {
  // Beyond the last pixel the last one is computed again, and not written.
  let place = placeOf(min(pixel, pixelsWith(work.margin) - 1u), work.margin);
  return vec2u(pixelIn(place, work.first_margin, work.margin, work.edge / 2u), pixelIn(place, work.second_margin, work.margin, 0u));
}

fn finish(pixel: u32, column: u32, sum: vec4f) {
  if (pixel >= pixelsWith(work.margin)) { return; }
  let place = placeOf(pixel, work.margin);
  var value = sum + weights[stepsOf() * STEP * 4u * COLUMNS + column];
  if (work.adds != 0u) { value += residual[pixelIn(place, work.residual_margin, work.margin, 0u) * COLUMNS + column]; }
  value = select(value, max(value, vec4f()), work.relu != 0u);
  output[pixel * COLUMNS + column] = select(vec4f(), value, isInside(place, work.margin));
}
