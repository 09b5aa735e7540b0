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

/** Every division and root of the kernel whose result is not a constant. */
const quotients: readonly (readonly [string, string])[] = [
  ['return a * (1.0 / sqrt(dot3(a, a)));', 'return pushed3(a * pushed(1.0 / pushed(sqrt(dot3(a, a)))));'],
  [
    'let inverse = 1.0 / select(direction, least, abs(direction) < vec3f(DIRECTION_MIN));',
    'let inverse = pushed3(1.0 / select(direction, least, abs(direction) < vec3f(DIRECTION_MIN)));',
  ],
  ['let scale = 1.0 / size;', 'let scale = pushed(1.0 / size);'],
  ['let a = -1.0 / (side + n.z);', 'let a = pushed(-1.0 / (side + n.z));'],
  ['frame.share = specular / (specular + diffuse);', 'frame.share = pushed(specular / (specular + diffuse));'],
  ['let d = alpha2 * INVERSE_PI / (spread * spread);', 'let d = pushed(alpha2 * INVERSE_PI / (spread * spread));'],
  ['let visibility = 0.5 / (light.z * viewSlope + view.z * lightSlope);', 'let visibility = pushed(0.5 / (light.z * viewSlope + view.z * lightSlope));'],
  ['let specularPdf = d * 0.5 / (view.z + viewSlope);', 'let specularPdf = pushed(d * 0.5 / (view.z + viewSlope));'],
  ['return light.probability / light.area * distance2 / cosine;', 'return pushed(pushed(light.probability / light.area) * distance2 / cosine);'],
  ['let direction = path * (1.0 / distance);', 'let direction = path * pushed(1.0 / distance);'],
  ['(1.0 / (lightDensity(light, distance2, abs(cosine)) + scattered.pdf))', 'pushed(1.0 / (lightDensity(light, distance2, abs(cosine)) + scattered.pdf))'],
  ['weight = chosen / (chosen + density);', 'weight = pushed(chosen / (chosen + density));'],
  ['throughput *= next.value * (1.0 / chosen);', 'throughput *= next.value * pushed(1.0 / chosen);'],
  ['let distance = sqrt(distance2);', 'let distance = pushed(sqrt(distance2));'],
  ['return sqrt(alpha2 * (w.x * w.x + w.y * w.y) + w.z * w.z);', 'return pushed(sqrt(alpha2 * (w.x * w.x + w.y * w.y) + w.z * w.z));'],
  ['let radius = sqrt(max((1.0 - z) * (1.0 + z), 0.0));', 'let radius = pushed(sqrt(max((1.0 - z) * (1.0 + z), 0.0)));'],
  ['light = vec3f(sqrt(u) * circle, sqrt(1.0 - u));', 'light = vec3f(pushed(sqrt(u)) * circle, pushed(sqrt(1.0 - u)));'],
];

const products: readonly (readonly [string, string])[] = [
  ['return a.x * b.x + a.y * b.y + a.z * b.z;', 'return neighbour(a.x * b.x) + neighbour(a.y * b.y) + neighbour(a.z * b.z);'],
  [
    'return vec3f(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x);',
    'return vec3f(neighbour(a.y * b.z) - neighbour(a.z * b.y), neighbour(a.z * b.x) - neighbour(a.x * b.z), neighbour(a.x * b.y) - neighbour(a.y * b.x));',
  ],
  [
    'let position = triangle.edge1 * u + triangle.edge2 * v + triangle.corner;',
    'let position = neighbour3(triangle.edge1 * u + triangle.edge2 * v + triangle.corner);',
  ],
  [
    'let direction = frame.tangent * light.x + frame.bitangent * light.y + frame.normal * light.z;',
    'let direction = neighbour3(frame.tangent * light.x + frame.bitangent * light.y + frame.normal * light.z);',
  ],
];

/** Divisions of integers and of constants, which are exact on every device. */
const exact = [
  '1.0 / 255.0',
  '1.0 / 32767.0',
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
  for (const [plain, pushed] of rounding.products ? [...quotients, ...products] : quotients) {
    if (code.split(plain).length !== 2) throw new Error(`the kernel does not have this once: ${plain}`);
    code = code.replace(plain, pushed);
  }
  assertComplete(source);
  return `${code}\n${pushing(rounding.units)}`;
}

function assertComplete(source: string): void {
  let rest = source.replace(/\/\/.*$/gm, '');
  for (const [plain] of quotients) rest = rest.replace(plain, '');
  for (const plain of exact) rest = rest.replaceAll(plain, '');
  const left = rest.split('\n').find((line) => / \/ |\b(sqrt|inverseSqrt|normalize|length|distance|sin|cos|pow|exp|log)\(/.test(line));
  if (left) throw new Error(`the kernel rounds here, and nothing models it: ${left.trim()}`);
}
