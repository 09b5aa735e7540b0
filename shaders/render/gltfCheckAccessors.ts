import { refuse } from './glb.ts';
import type { Gltf, GltfAccessor } from './gltfSchema.ts';
import { sceneLimits } from './limits.ts';

const COMPONENT_BYTES: Readonly<Record<GltfAccessor['componentType'], number>> = { 5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4 };
const TYPE_NUMBERS: Readonly<Record<GltfAccessor['type'], number>> = { SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4, MAT2: 4, MAT3: 9, MAT4: 16 };

/** An absent index is fine. */
export function checkIndex(path: string, index: number | undefined, list: readonly unknown[] | undefined): void {
  const length = list?.length ?? 0;
  if (index !== undefined && index >= length) throw refuse(`${path} is ${index}, but there are only ${length}.`);
}

export function checkAccessors(gltf: Gltf): void {
  let total = 0;
  gltf.accessors?.forEach((accessor, i) => {
    const path = `accessors[${i}]`;
    const size = TYPE_NUMBERS[accessor.type];
    const bytes = COMPONENT_BYTES[accessor.componentType];
    total += accessor.count * size;
    if (total > sceneLimits.accessorNumbersMax)
      throw refuse(`The accessors up to ${path} hold ${total} numbers.`, `at most ${sceneLimits.accessorNumbersMax} numbers`);
    if (accessor.bufferView !== undefined) checkRange(gltf, path, { ...accessor, bufferView: accessor.bufferView }, size * bytes);
    if (!accessor.sparse) return;
    const { count, indices, values } = accessor.sparse;
    if (count > accessor.count) throw refuse(`${path}.sparse.count is ${count}, more than the ${accessor.count} elements.`);
    checkRange(gltf, `${path}.sparse.indices`, { ...indices, count }, COMPONENT_BYTES[indices.componentType]);
    checkRange(gltf, `${path}.sparse.values`, { ...values, count }, size * bytes);
  });
}

function checkRange(gltf: Gltf, path: string, range: { bufferView: number; byteOffset?: number | undefined; count: number }, elementBytes: number): void {
  checkIndex(`${path}.bufferView`, range.bufferView, gltf.bufferViews);
  const view = gltf.bufferViews![range.bufferView]!;
  const end = (range.byteOffset ?? 0) + (range.count - 1) * (view.byteStride ?? elementBytes) + elementBytes;
  if (end > view.byteLength) throw refuse(`${path} ends at byte ${end} of bufferViews[${range.bufferView}], which has ${view.byteLength} bytes.`);
}

/** The accessor exists. */
export function checkKind(gltf: Gltf, path: string, accessor: number, types: readonly GltfAccessor['type'][], components?: readonly number[]): void {
  const found = gltf.accessors![accessor]!;
  if (!types.includes(found.type)) throw refuse(`${path} is of type ${found.type}.`, types.join(' or '));
  if (components && !components.includes(found.componentType)) throw refuse(`${path} has component type ${found.componentType}.`, components.join(', '));
}
