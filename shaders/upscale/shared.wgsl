// Inputs and kernel go through workgroup memory, a step at a time.

// One more than there are, so that neighbouring inputs of a pixel lie in different banks.
const PITCH = PIXELS + 1u;

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

fn inputAt(start: vec2u, at: Cursor) -> vec4f {
  if (at.y >= work.edge) { return vec4f(); }
  if (at.channel < work.first) { return first[(start.x + at.y * (work.width + 2u * work.first_margin) + at.x) * work.first + at.channel]; }
  return second[start.y * work.second + at.channel - work.first];
}
