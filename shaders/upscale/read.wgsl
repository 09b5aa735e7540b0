// The image's bytes -> a plane of RGB0 from 0 to 255. MARGIN is the plane's.

@group(0) @binding(2) var<storage, read> image: array<u32>;
@group(0) @binding(3) var<storage, read_write> output: array<vec4f>;

fn byteAt(at: u32) -> f32 {
  return f32((image[at / 4u] >> (at % 4u * 8u)) & 255u);
}

@compute @workgroup_size(PIXELS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let pixel = (work.first_block + group.x) * PIXELS + local;
  if (pixel >= pixelsWith(MARGIN)) { return; }
  let place = placeOf(pixel, MARGIN);
  var rgb = vec4f();
  if (isInside(place, MARGIN)) {
    let corner = corners[place.window];
    let at = 3u * ((corner.y + place.y - MARGIN) * work.image_width + corner.x + place.x - MARGIN);
    rgb = vec4f(byteAt(at), byteAt(at + 1u), byteAt(at + 2u), 0.0);
  }
  output[pixel] = rgb;
}
