/** The kernel with its integers replaced by floats: what rounding to integers changes, and what it costs. */

/** The function of pathtrace.wgsl that rounds a path's light and adds it up, up to the brace that closes it. */
const ADD_LIGHT = /fn addLight\(path: Path, element: u32\) \{[\s\S]*?\n\}\n/;

function withAddLight(source: string, body: string): string {
  if (source.split(ADD_LIGHT).length !== 2) throw new Error('the kernel has no function addLight to replace');
  return source.replace(ADD_LIGHT, body);
}

/**
 * Sums of f32, in steps but not rounded to them: the bits of a float in the place of each integer, replaced until no other path came
 * between. What is not finite counts as nothing, as in the kernel.
 */
export const floatKernel = (source: string): string =>
  withAddLight(
    source,
    `fn addFloat(at: u32, value: f32) {
  if ((bitcast<u32>(value) & 0x7f800000u) == 0x7f800000u || !(value > 0.0)) {
    return;
  }
  var old = atomicLoad(&sums[at]);
  loop {
    let result = atomicCompareExchangeWeak(&sums[at], old, bitcast<u32>(bitcast<f32>(old) + value));
    if (result.exchanged) {
      break;
    }
    old = result.old_value;
  }
}

fn addLight(path: Path, element: u32) {
  let value = tracePath(path) * job.stepsPerRadiance;
  addFloat(element * 4u, value.x);
  addFloat(element * 4u + 1u, value.y);
  addFloat(element * 4u + 2u, value.z);
  addFloat(element * 4u + 3u, luminance(value) * luminance(value));
}
`,
  );

/** Floats written over each other: less than any sum takes, so that what the kernel takes beyond it is at least what rounding costs. */
export const storingKernel = (source: string): string =>
  withAddLight(
    source,
    `fn addLight(path: Path, element: u32) {
  let value = tracePath(path) * job.stepsPerRadiance;
  atomicStore(&sums[element * 4u], bitcast<u32>(value.x));
  atomicStore(&sums[element * 4u + 1u], bitcast<u32>(value.y));
  atomicStore(&sums[element * 4u + 2u], bitcast<u32>(value.z));
  atomicStore(&sums[element * 4u + 3u], bitcast<u32>(luminance(value) * luminance(value)));
}
`,
  );
