// What all kernels of a job share: the windows of the image that are computed, all of one size, one behind the other in every buffer.

struct Work {
  // Of this dispatch: workgroups before its first.
  first_block: u32,
  windows: u32,
  // Of a window, in input pixels.
  width: u32,
  height: u32,
  image_width: u32,
  image_height: u32,
  // Of the convolution: its kernel, how many vec4 of inputs come from the first plane and the second, the margins of the planes that it writes and
  // reads, whether it adds a plane, and whether it cuts off what is below zero.
  edge: u32,
  first: u32,
  second: u32,
  margin: u32,
  first_margin: u32,
  second_margin: u32,
  residual_margin: u32,
  adds: u32,
  relu: u32,
}

@group(0) @binding(0) var<uniform> work: Work;
// Upper left corner of every window in the image.
@group(0) @binding(1) var<storage, read> corners: array<vec2u>;

// A pixel of a layer: `x` and `y` count from the corner of the window with its margin.
struct Place {
  window: u32,
  x: u32,
  y: u32,
}

fn placeOf(pixel: u32, margin: u32) -> Place {
  let width = work.width + 2u * margin;
  let size = width * (work.height + 2u * margin);
  let within = pixel % size;
  return Place(pixel / size, within % width, within / width);
}

fn pixelsWith(margin: u32) -> u32 {
  return work.windows * (work.width + 2u * margin) * (work.height + 2u * margin);
}

// The pixel of a layer of `wider` margin at a place in one of `margin`, `reach` pixels up and to the left.
fn pixelIn(place: Place, wider: u32, margin: u32, reach: u32) -> u32 {
  let by = wider - margin - reach;
  return (place.window * (work.height + 2u * wider) + place.y + by) * (work.width + 2u * wider) + place.x + by;
}

// Everything beyond the image is zero, as the padding of every layer is.
fn isInside(place: Place, margin: u32) -> bool {
  let corner = corners[place.window];
  // Left of and above the image this wraps around and is larger than any image.
  let x = corner.x + place.x - margin;
  let y = corner.y + place.y - margin;
  return x < work.image_width && y < work.image_height;
}
