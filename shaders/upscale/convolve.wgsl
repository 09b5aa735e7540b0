// A convolution as a product of matrices that are never written down: a row is a pixel, a column an output, and what is summed over are the taps of
// the kernel times the inputs. A workgroup makes PIXELS rows of all columns, an invocation TALL x WIDE vec4 of them. Every sum runs in the same order
// wherever in a window its pixel lies, so how a picture is cut changes no bit.
//
// Constants in front of this: EDGE of the kernel, FIRST and SECOND (vec4 of the inputs), COLUMNS (vec4 of outputs), TALL, WIDE, THREADS, RELU, RESIDUAL;
// margins of the planes: OUT_MARGIN, FIRST_MARGIN, SECOND_MARGIN, RESIDUAL_MARGIN.

// [taps x inputs, filled up with zeros to whole steps][COLUMNS], then the bias.
@group(0) @binding(2) var<storage, read> weights: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> output: array<vec4f>;
@group(0) @binding(4) var<storage, read> first: array<vec4f>;
@group(0) @binding(5) var<storage, read> second: array<vec4f>;
@group(0) @binding(6) var<storage, read> residual: array<vec4f>;

// vec4 of inputs in a step.
const STEP = 4u;
const INPUTS = EDGE * EDGE * (FIRST + SECOND);
const STEPS = (INPUTS + STEP - 1u) / STEP;
const REACH = (EDGE - 1u) / 2u;
// One more than there are, so that neighbouring inputs of a pixel lie in different banks.
const PITCH = PIXELS + 1u;

var<workgroup> starts: array<vec2u, PIXELS>;
var<workgroup> inputs: array<vec4f, STEP * PITCH>;
var<workgroup> kernel: array<vec4f, STEP * 4u * COLUMNS>;

// Input `index` of the pixel whose windows of the inputs start there.
fn inputAt(start: vec2u, index: u32) -> vec4f {
  let tap = index / (FIRST + SECOND);
  let channel = index % (FIRST + SECOND);
  if (index >= INPUTS) { return vec4f(); }
  if (channel < FIRST) { return first[(start.x + tap / EDGE * (work.width + 2u * FIRST_MARGIN) + tap % EDGE) * FIRST + channel]; }
  // Kernels with two inputs have one tap.
  return second[start.y * SECOND + channel - FIRST];
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let pixels = pixelsWith(OUT_MARGIN);
  let base = (work.first_block + group.x) * PIXELS;
  for (var row = local; row < PIXELS; row += THREADS) {
    let place = placeOf(min(base + row, pixels - 1u), OUT_MARGIN);
    starts[row] = vec2u(pixelIn(place, FIRST_MARGIN, OUT_MARGIN, REACH), pixelIn(place, SECOND_MARGIN, OUT_MARGIN, 0u));
  }
  workgroupBarrier();

  const ROWS = PIXELS / TALL;
  let row = local % ROWS;
  let column = local / ROWS * WIDE;
  var sums: array<vec4f, TALL * WIDE>;
  for (var step = 0u; step < STEPS; step++) {
    for (var i = local; i < STEP * PIXELS; i += THREADS) {
      inputs[i % STEP * PITCH + i / STEP] = inputAt(starts[i / STEP], step * STEP + i % STEP);
    }
    for (var i = local; i < STEP * 4u * COLUMNS; i += THREADS) { kernel[i] = weights[step * STEP * 4u * COLUMNS + i]; }
    workgroupBarrier();
    for (var k = 0u; k < STEP; k++) {
      var values: array<vec4f, TALL>;
      for (var t = 0u; t < TALL; t++) { values[t] = inputs[k * PITCH + row + t * ROWS]; }
      for (var w = 0u; w < WIDE; w++) {
        let at = k * 4u * COLUMNS + column + w;
        let x = kernel[at];
        let y = kernel[at + COLUMNS];
        let z = kernel[at + 2u * COLUMNS];
        let q = kernel[at + 3u * COLUMNS];
        for (var t = 0u; t < TALL; t++) {
          let value = values[t];
          sums[t * WIDE + w] += value.x * x;
          sums[t * WIDE + w] += value.y * y;
          sums[t * WIDE + w] += value.z * z;
          sums[t * WIDE + w] += value.w * q;
        }
      }
    }
    workgroupBarrier();
  }

  for (var t = 0u; t < TALL; t++) {
    let pixel = base + row + t * ROWS;
    if (pixel >= pixels) { continue; }
    let place = placeOf(pixel, OUT_MARGIN);
    let inside = isInside(place, OUT_MARGIN);
    for (var w = 0u; w < WIDE; w++) {
      var value = sums[t * WIDE + w] + weights[STEPS * STEP * 4u * COLUMNS + column + w];
      if (RESIDUAL) { value += residual[pixelIn(place, RESIDUAL_MARGIN, OUT_MARGIN, 0u) * COLUMNS + column + w]; }
      if (RELU) { value = max(value, vec4f()); }
      output[pixel * COLUMNS + column + w] = select(vec4f(), value, inside);
    }
  }
}
