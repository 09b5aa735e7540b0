// The last convolution, over a plane of which every pixel stands for SCALE x SCALE of the picture, and the picture's bytes. One invocation makes one
// pixel of a window; words lie patch by patch, as results have them. FIRST: vec4 of the plane. MARGIN is its margin, 1.

// [taps x inputs] of what each adds to red, green and blue, then the bias.
@group(0) @binding(2) var<storage, read> weights: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> output: array<u32>;
@group(0) @binding(4) var<storage, read> first: array<vec4f>;

const EDGE = PATCH * SCALE;

fn byteOf(value: f32) -> u32 {
  return u32(floor(clamp(value, 0.0, 255.0) + 0.5));
}

@compute @workgroup_size(PIXELS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let columns = (work.width + PATCH - 1u) / PATCH;
  let rows = (work.height + PATCH - 1u) / PATCH;
  let word = (work.first_block + group.x) * PIXELS + local;
  let window = word / (columns * rows * EDGE * EDGE);
  if (window >= work.windows) { return; }
  let cell = word / (EDGE * EDGE) % (columns * rows);
  let x = cell % columns * EDGE + word % EDGE;
  let y = cell / columns * EDGE + word / EDGE % EDGE;
  // Patches may be cut by the window's edge, windows by the image's.
  if (x >= work.width * SCALE || y >= work.height * SCALE || !isInside(Place(window, x / SCALE, y / SCALE), 0u)) {
    output[word] = 0u;
    return;
  }
  var rgb = weights[9u * FIRST * 4u];
  for (var tap = 0u; tap < 9u; tap++) {
    // MARGIN pixels of the plane lie left of and above the window, so that nothing is negative.
    let place = Place(window, (x + tap % 3u + MARGIN * SCALE - 1u) / SCALE, (y + tap / 3u + MARGIN * SCALE - 1u) / SCALE);
    let at = pixelIn(place, MARGIN, MARGIN, 0u) * FIRST;
    for (var channel = 0u; channel < FIRST; channel++) {
      let value = first[at + channel];
      let weight = (tap * FIRST + channel) * 4u;
      rgb += value.x * weights[weight];
      rgb += value.y * weights[weight + 1u];
      rgb += value.z * weights[weight + 2u];
      rgb += value.w * weights[weight + 3u];
    }
  }
  output[word] = byteOf(rgb.x) | (byteOf(rgb.y) << 8u) | (byteOf(rgb.z) << 16u) | (255u << 24u);
}
