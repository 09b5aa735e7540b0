/*ENABLE*/
// C = activation(alpha op(A) op(B) + beta C0 + bias), in tiles of a workgroup: source.ts fills in what depends on the variant.
// Rows and columns behind the end are computed from whatever lies there, and not stored; k behind the end counts as zeros, in A and in B:
// what lies there may be no numbers at all. Indices out of a buffer's bounds are WebGPU's to handle.
struct Parameters {
  m: u32,
  n: u32,
  k: u32,
  // Workgroups before this slice, and tiles beside each other along n.
  first: u32,
  tilesN: u32,
  tilesM: u32,
  // In numbers of the operand (words of four bytes for i8): of the first, and from line to line.
  aOffset: u32,
  aStride: u32,
  bOffset: u32,
  bStride: u32,
  cOffset: u32,
  cStride: u32,
  addendOffset: u32,
  addendStride: u32,
  biasOffset: u32,
  alpha: f32,
  beta: f32,
  slope: f32,
}

@group(0) @binding(0) var<uniform> p: Parameters;
@group(0) @binding(2) var<storage, read> b: array</*OPERAND*/>;
@group(0) @binding(3) var<storage, read_write> c: array</*STORED*/>;
/*EXTRA*/
/*SHARED*/
var<private> tileRow: u32;
var<private> tileColumn: u32;
var<private> threadColumn: u32;

/*LOADERS*/
/*MASKED*/
/*MAC*/
/*FINISH*/

// The column of a thread's number `at`.
fn column(at: u32) -> u32 {
  return /*COLUMN*/;
}

fn store4(row: u32, column: u32, sums: vec4</*STORED*/>) {
  let at = p.cOffset + row * p.cStride + column;
  for (var i = 0u; i < 4u; i++) {
    if (column + i < p.n) { c[at + i] = finish(row, column + i, sums[i]); }
  }
}

// Tiles in columns of eight rows: those that run at the same time share what they read.
const BAND = 8u;

@compute @workgroup_size(/*THREADS*/)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32/*LANE*/) {
  let index = p.first + group.x;
  let band = index / (BAND * p.tilesN);
  let height = min(BAND, p.tilesM - band * BAND);
  let inBand = index - band * BAND * p.tilesN;
  tileRow = (band * BAND + inBand % height) * /*TILE_M*/;
  tileColumn = (inBand / height) * /*TILE_N*/;
  threadColumn = thread % /*THREADS_N*/;
  let threadRow = (thread / /*THREADS_N*/) * /*ROWS*/;
  let row = tileRow + threadRow;
/*SUMS*/
/*MULTIPLY*/
/*STORES*/
}
