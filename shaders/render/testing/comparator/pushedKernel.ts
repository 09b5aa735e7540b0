/**
 * A GPU that rounds otherwise than SwiftShader, modelled: the kernel with the results of divisions and roots, and where wanted of
 * products that a compiler may fuse, pushed by some units in the last place. Which way is a hash of the result's bits, as it would be
 * for a given piece of hardware. WGSL allows `/` 2.5 units and `sqrt` 2, and `+ - *` either neighbour.
 */
export interface Rounding {
  /** Units in the last place by which divisions and roots are pushed at most; 0 leaves the kernel as it is. */
  readonly units: 0 | 1 | 2;
  /** Whether sums of products are pushed by a unit as well. */
  readonly products: boolean;
}

/** Devices that are modelled, by name. `plain` is the kernel itself. */
export const roundings = {
  plain: { units: 0, products: false },
  near: { units: 1, products: false },
  far: { units: 2, products: true },
} as const satisfies Readonly<Record<string, Rounding>>;
export type RoundingName = keyof typeof roundings;

/** A place of the kernel, what a modelled device has instead, and how often the kernel has it where that is not once. */
type Place = readonly [plain: string, pushed: string, times?: number];

/** Every division and root of the kernel whose result is not a constant, file by file. */
const quotients: readonly Place[] = [
  ['return a * (1.0 / sqrt(dot3(a, a)));', 'return pushed3(a * pushed(1.0 / pushed(sqrt(dot3(a, a)))));'],
  // traverse.wgsl
  [
    'let inverse = 1.0 / select(direction, least, abs(direction) < vec3f(DIRECTION_MIN));',
    'let inverse = pushed3(1.0 / select(direction, least, abs(direction) < vec3f(DIRECTION_MIN)));',
  ],
  ['let scale = 1.0 / size;', 'let scale = pushed(1.0 / size);'],
  // surface.wgsl
  ['let ratio = ((*material).ior - 1.0) / ((*material).ior + 1.0);', 'let ratio = pushed(((*material).ior - 1.0) / ((*material).ior + 1.0));'],
  ['surface.eta = select(1.0 / (*material).ior,', 'surface.eta = select(pushed(1.0 / (*material).ior),'],
  // scatter.wgsl
  ['let a = -1.0 / (side + n.z);', 'let a = pushed(-1.0 / (side + n.z));'],
  ['let g = sqrt(g2);', 'let g = pushed(sqrt(g2));'],
  ['let a = (g - c) / (g + c);', 'let a = pushed((g - c) / (g + c));'],
  ['let b = (c * (g + c) - 1.0) / (c * (g - c) + 1.0);', 'let b = pushed((c * (g + c) - 1.0) / (c * (g - c) + 1.0));'],
  ['let lost = 1.0 / (e.x + e.y) - 1.0;', 'let lost = pushed(1.0 / (e.x + e.y)) - 1.0;'],
  [
    's.glassScale = s.glass / select(select(through.y, through.x, surface.front), e.x + e.y, thin);',
    's.glassScale = pushed(s.glass / select(select(through.y, through.x, surface.front), e.x + e.y, thin));',
  ],
  [
    'let share = 1.0 / max(s.coat + s.specular + s.glass + s.diffuse, NO_DIVISION_BY_ZERO);',
    'let share = pushed(1.0 / max(s.coat + s.specular + s.glass + s.diffuse, NO_DIVISION_BY_ZERO));',
  ],
  ['return sqrt(alpha2 * (w.x * w.x + w.y * w.y) + w.z * w.z);', 'return pushed(sqrt(alpha2 * (w.x * w.x + w.y * w.y) + w.z * w.z));'],
  ['return alpha2 * INVERSE_PI / (spread * spread);', 'return pushed(alpha2 * INVERSE_PI / (spread * spread));'],
  [
    'let visibility = 0.5 / (light.z * viewSlope + view.z * slope(light, alpha2));',
    'let visibility = pushed(0.5 / (light.z * viewSlope + view.z * slope(light, alpha2)));',
  ],
  ['d * 0.5 / (view.z + viewSlope))', 'pushed(d * 0.5 / (view.z + viewSlope)))'],
  [
    'let jacobian = viewHalf * -lightHalf * (eta * eta) / (denominator * denominator);',
    'let jacobian = pushed(viewHalf * -lightHalf * (eta * eta) / (denominator * denominator));',
  ],
  [
    'let visibility = 2.0 / (below * viewSlope + view.z * slope(light, alpha2));',
    'let visibility = pushed(2.0 / (below * viewSlope + view.z * slope(light, alpha2)));',
  ],
  ['d * 2.0 / (view.z + viewSlope))', 'pushed(d * 2.0 / (view.z + viewSlope)))'],
  ['let radius = sqrt(max((1.0 - z) * (1.0 + z), 0.0));', 'let radius = pushed(sqrt(max((1.0 - z) * (1.0 + z), 0.0)));'],
  ['let inverse = 1.0 / eta;', 'let inverse = pushed(1.0 / eta);'],
  ['return half * (inverse * c - sqrt(k)) - view * inverse;', 'return half * (inverse * c - pushed(sqrt(k))) - view * inverse;'],
  ['light = vec3f(sqrt(u) * circle, sqrt(1.0 - u));', 'light = vec3f(pushed(sqrt(u)) * circle, pushed(sqrt(1.0 - u)));'],
  // lights.wgsl
  [
    'return lights[index].probability / lights[index].area * distance2 / cosine;',
    'return pushed(pushed(lights[index].probability / lights[index].area) * distance2 / cosine);',
  ],
  ['let distance = sqrt(distance2);', 'let distance = pushed(sqrt(distance2));', 2],
  ['let direction = path * (1.0 / distance);', 'let direction = path * pushed(1.0 / distance);', 2],
  ['light.color * (1.0 / light.probability)', 'light.color * pushed(1.0 / light.probability)'],
  ['turn(v) * sqrt(max(fallen * (2.0 - fallen), 0.0))', 'turn(v) * pushed(sqrt(max(fallen * (2.0 - fallen), 0.0)))'],
  ['light.probability * INVERSE_TWO_PI / light.area', 'pushed(light.probability * INVERSE_TWO_PI / light.area)'],
  ['var strength = 1.0 / (distance2 * light.probability);', 'var strength = pushed(1.0 / (distance2 * light.probability));'],
  ['let p = direction.xz * (1.0 / sum);', 'let p = direction.xz * pushed(1.0 / sum);'],
  ['return probability * (edge * edge) * 0.25 / (sum * sum * sum);', 'return pushed(probability * (edge * edge) * 0.25 / (sum * sum * sum));'],
  [
    'vec2f((u - columns.x) / (columns.y - columns.x), (v - rows.x) / (rows.y - rows.x))',
    'vec2f(pushed((u - columns.x) / (columns.y - columns.x)), pushed((v - rows.x) / (rows.y - rows.x)))',
  ],
  ['(1.0 / f32(job.environmentEdge))', 'pushed(1.0 / f32(job.environmentEdge))'],
  ['return chosen / (chosen + density);', 'return pushed(chosen / (chosen + density));'],
  ['sun.probability * INVERSE_TWO_PI / sun.area', 'pushed(sun.probability * INVERSE_TWO_PI / sun.area)'],
  // pathtrace.wgsl
  ['turn(lens.y) * sqrt(lens.x)', 'turn(lens.y) * pushed(sqrt(lens.x))'],
  ['1.0 / (light.pdf + scattered.pdf)', 'pushed(1.0 / (light.pdf + scattered.pdf))'],
  ['throughput *= next.value * (1.0 / chosen);', 'throughput *= next.value * pushed(1.0 / chosen);'],
  ['throughput *= 1.0 / survival;', 'throughput *= pushed(1.0 / survival);'],
];

/** Sums of products that place things: where rays start, go and hit, and where textures are read. */
const products: readonly Place[] = [
  ['return a.x * b.x + a.y * b.y + a.z * b.z;', 'return neighbour(a.x * b.x) + neighbour(a.y * b.y) + neighbour(a.z * b.z);'],
  [
    'return vec3f(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x);',
    'return vec3f(neighbour(a.y * b.z) - neighbour(a.z * b.y), neighbour(a.z * b.x) - neighbour(a.x * b.z), neighbour(a.x * b.y) - neighbour(a.y * b.x));',
  ],
  [
    'return (*instance).objectX.xyz * n.x + (*instance).objectY.xyz * n.y + (*instance).objectZ.xyz * n.z;',
    'return neighbour3((*instance).objectX.xyz * n.x + (*instance).objectY.xyz * n.y + (*instance).objectZ.xyz * n.z);',
  ],
  ['surface.position = edge1 * u + edge2 * v + corner;', 'surface.position = neighbour3(edge1 * u + edge2 * v + corner);'],
  [
    'return vec2f((*m)[0] * s + (*m)[1] * t + (*m)[2], (*m)[3] * s + (*m)[4] * t + (*m)[5]);',
    'return vec2f(neighbour((*m)[0] * s + (*m)[1] * t + (*m)[2]), neighbour((*m)[3] * s + (*m)[4] * t + (*m)[5]));',
  ],
  [
    'return frame.tangent * local.x + frame.bitangent * local.y + frame.normal * local.z;',
    'return neighbour3(frame.tangent * local.x + frame.bitangent * local.y + frame.normal * local.z);',
  ],
];

/** Divisions of integers and of constants, which are exact on every device. */
const exact = [
  '1.0 / 255.0',
  '1.0 / 65535.0',
  '1.0 / 32767.0',
  '1.0 / 16383.0',
  '1.0 / (1.0 - USUAL_F0)',
  'path / slice.pixels',
  'pixel / slice.width',
  'sample / slice.partSamples',
  'path / slice.partSamples',
  'slot / 2u',
];

/**
 * Without branches, which SwiftShader takes minutes to compile in this many places. The hash is one product, whose upper bits depend on
 * all bits of the number; zeros, subnormals and what is not finite stay as they are.
 */
const pushing = (units: number): string => `
fn pushed3By(x: vec3f, units: u32) -> vec3f {
  let bits = bitcast<vec3u>(x);
  let by = (((bits * 747796405u) >> vec3u(16u)) * (2u * units + 1u)) >> vec3u(16u);
  let exponent = bits & vec3u(0x7f800000u);
  return select(bitcast<vec3f>(bits + by - units), x, (exponent == vec3u(0u)) | (exponent == vec3u(0x7f800000u)));
}
fn pushedBy(x: f32, units: u32) -> f32 {
  let bits = bitcast<u32>(x);
  let by = (((bits * 747796405u) >> 16u) * (2u * units + 1u)) >> 16u;
  let exponent = bits & 0x7f800000u;
  return select(bitcast<f32>(bits + by - units), x, (exponent == 0u) | (exponent == 0x7f800000u));
}
fn pushed(x: f32) -> f32 { return pushedBy(x, ${units}u); }
fn pushed3(a: vec3f) -> vec3f { return pushed3By(a, ${units}u); }
fn neighbour(x: f32) -> f32 { return pushedBy(x, 1u); }
fn neighbour3(a: vec3f) -> vec3f { return pushed3By(a, 1u); }
`;

/** The kernel's WGSL as such a device would compute it. Throws when the kernel has a division or root that is not known here. */
export function pushedKernel(source: string, rounding: Rounding): string {
  if (rounding.units === 0) return source;
  let code = source;
  for (const [plain, pushed, times = 1] of rounding.products ? [...quotients, ...products] : quotients) {
    const found = code.split(plain).length - 1;
    if (found !== times) throw new Error(`the kernel has this ${found} times, not ${times}: ${plain}`);
    code = code.replaceAll(plain, pushed);
  }
  assertComplete(source);
  return `${code}\n${pushing(rounding.units)}`;
}

function assertComplete(source: string): void {
  let rest = source.replace(/\/\/.*$/gm, '');
  for (const [plain] of quotients) rest = rest.replaceAll(plain, '');
  for (const plain of exact) rest = rest.replaceAll(plain, '');
  const left = rest.split('\n').find((line) => / \/ |\b(sqrt|inverseSqrt|normalize|length|distance|sin|cos|pow|exp|log)\(/.test(line));
  if (left) throw new Error(`the kernel rounds here, and nothing models it: ${left.trim()}`);
}
