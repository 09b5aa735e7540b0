// A convolution as a product of matrices that are never written down: a row is a pixel, a column an output, and what is summed over are the taps of
// the kernel times the inputs. A workgroup makes PIXELS rows of all columns, an invocation TALL x WIDE vec4 of them. Every sum runs in the same order
// wherever in a window its pixel lies, so how a picture is cut changes no bit.
//
// Constants in front of this: COLUMNS (vec4 of outputs), TALL, WIDE, THREADS. The rest is the same code for all layers, so that few kernels are compiled.

// [taps x inputs, filled up with zeros to whole steps][COLUMNS], then the bias.
@group(0) @binding(2) var<storage, read> weights: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> output: array<vec4f>;
@group(0) @binding(4) var<storage, read> first: array<vec4f>;
@group(0) @binding(5) var<storage, read> second: array<vec4f>;
@group(0) @binding(6) var<storage, read> residual: array<vec4f>;

// vec4 of inputs in a step.
const STEP = 4u;
// One more than there are, so that neighbouring inputs of a pixel lie in different banks.
const PITCH = PIXELS + 1u;
const ROWS = PIXELS / TALL;

var<workgroup> starts: array<vec2u, PIXELS>;
var<workgroup> inputs: array<vec4f, STEP * PITCH>;
var<workgroup> kernel: array<vec4f, STEP * 4u * COLUMNS>;

// Which of the inputs an invocation fetches next: taps row by row, all inputs of one after the other.
struct Cursor {
  x: u32,
  y: u32,
  channel: u32,
}

fn advanced(cursor: Cursor, by: u32) -> Cursor {
  var next = cursor;
  next.channel += by;
  while (next.channel >= work.first + work.second) {
    next.channel -= work.first + work.second;
    next.x++;
    if (next.x == work.edge) {
      next.x = 0u;
      next.y++;
    }
  }
  return next;
}

// An input of the pixel whose windows of the two planes start there.
fn inputAt(start: vec2u, at: Cursor) -> vec4f {
  if (at.y >= work.edge) { return vec4f(); }
  if (at.channel < work.first) { return first[(start.x + at.y * (work.width + 2u * work.first_margin) + at.x) * work.first + at.channel]; }
  // Kernels with two planes of inputs have one tap.
  return second[start.y * work.second + at.channel - work.first];
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let pixels = pixelsWith(work.margin);
  let base = (work.first_block + group.x) * PIXELS;
  for (var row = local; row < PIXELS; row += THREADS) {
    let place = placeOf(min(base + row, pixels - 1u), work.margin);
    starts[row] = vec2u(pixelIn(place, work.first_margin, work.margin, work.edge / 2u), pixelIn(place, work.second_margin, work.margin, 0u));
  }
  workgroupBarrier();

  let steps = (work.edge * work.edge * (work.first + work.second) + STEP - 1u) / STEP;
  let row = local % ROWS;
  let column = local / ROWS * WIDE;
  // THREADS is a multiple of STEP: an invocation fetches the same inputs of all its pixels.
  var cursor = advanced(Cursor(), local % STEP);
  var sums: array<vec4f, TALL * WIDE>;
  for (var step = 0u; step < steps; step++) {
    for (var i = local; i < STEP * PIXELS; i += THREADS) { inputs[i % STEP * PITCH + i / STEP] = inputAt(starts[i / STEP], cursor); }
    cursor = advanced(cursor, STEP);
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
          var sum = sums[t * WIDE + w];
          sum += value.x * x;
          sum += value.y * y;
          sum += value.z * z;
          sum += value.w * q;
          sums[t * WIDE + w] = sum;
        }
      }
    }
    workgroupBarrier();
  }

  for (var t = 0u; t < TALL; t++) {
    let pixel = base + row + t * ROWS;
    if (pixel >= pixels) { continue; }
    let place = placeOf(pixel, work.margin);
    let inside = isInside(place, work.margin);
    for (var w = 0u; w < WIDE; w++) {
      var value = sums[t * WIDE + w] + weights[steps * STEP * 4u * COLUMNS + column + w];
      if (work.adds != 0u) { value += residual[pixelIn(place, work.residual_margin, work.margin, 0u) * COLUMNS + column + w]; }
      value = select(value, max(value, vec4f()), work.relu != 0u);
      output[pixel * COLUMNS + column + w] = select(vec4f(), value, inside);
    }
  }
}
