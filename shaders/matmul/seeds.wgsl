// Behind pcg.wgsl. Fills lines of a matrix from its seed; seeds.ts says which numbers.
const F32 = 0u;
const F16 = 1u;
const I8 = 2u;
const I32 = 3u;

struct Fill {
  key: u32,
  // Number i of line l is number first + l * lineStep + i * step.
  first: u32,
  lineStep: u32,
  step: u32,
  length: u32,
  lineWords: u32,
  words: u32,
  // What the numbers are, and what they are stored as.
  kind: u32,
  stored: u32,
}

@group(0) @binding(0) var<uniform> fill: Fill;
@group(0) @binding(1) var<storage, read_write> lines: array<u32>;

// Exact in f32, whatever the kind; 0 behind the end of a line.
fn numberAt(line: u32, at: u32) -> f32 {
  if (at >= fill.length) { return 0.0; }
  let hash = pcgHash((fill.first + line * fill.lineStep + at * fill.step) ^ fill.key);
  if (fill.kind == F32) { return (f32(hash >> 8u) - 8388608.0) * 0x1p-23f; }
  if (fill.kind == F16) { return (f32(hash >> 21u) - 1024.0) * 0x1p-10f; }
  return f32(hash >> 24u) - 128.0;
}

fn byteAt(line: u32, at: u32) -> u32 {
  return bitcast<u32>(i32(numberAt(line, at))) & 0xffu;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let word = id.x + id.y * groups.x * 64u;
  if (word >= fill.words) { return; }
  let line = word / fill.lineWords;
  let at = word % fill.lineWords;
  if (fill.stored == F32) {
    lines[word] = bitcast<u32>(numberAt(line, at));
  } else if (fill.stored == I32) {
    lines[word] = bitcast<u32>(i32(numberAt(line, at)));
  } else if (fill.stored == F16) {
    lines[word] = pack2x16float(vec2f(numberAt(line, 2u * at), numberAt(line, 2u * at + 1u)));
  } else {
    lines[word] = byteAt(line, 4u * at) | (byteAt(line, 4u * at + 1u) << 8u) | (byteAt(line, 4u * at + 2u) << 16u) | (byteAt(line, 4u * at + 3u) << 24u);
  }
}
