import { concatBytes } from '../../shared/formats.ts';
import { layersOf, type Scale } from './network.ts';
import { encodeWeights } from './weights.ts';

/** TensorFlow.js' layers format: one model.json, which tells the network and how f32 tensors lie one behind the other in a file. */

export interface LayersModel {
  readonly modelTopology: { readonly model_config: { readonly config: { readonly layers: readonly KerasLayer[] } } };
  readonly weightsManifest: readonly { readonly paths: readonly string[]; readonly weights: readonly Tensor[] }[];
}
interface KerasLayer {
  readonly class_name: string;
  readonly name: string;
  readonly inbound_nodes: readonly (readonly (readonly [string, ...unknown[]])[])[];
}
interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
}

/** What feeds what in the model that `network.ts` describes: layer <- its inputs. */
const TOPOLOGY =
  'F_m1<LR F_0<F_m1 F_1_1<F_0 F_1_1_Relu<F_1_1 RDB_Concat_1_1<F_0,F_1_1_Relu LFF_1<RDB_Concat_1_1 LRL_1<LFF_1,F_0 F_2_1<LRL_1 F_2_1_Relu<F_2_1 ' +
  'RDB_Concat_2_1<LRL_1,F_2_1_Relu LFF_2<RDB_Concat_2_1 LRL_2<LFF_2,LRL_1 LRLs_Concat<LRL_1,LRL_2 GFF_1<LRLs_Concat GFF_2<GFF_1 FDF<GFF_2,F_m1 ' +
  'UPN1<FDF UPN1_Relu<UPN1 UPN2<UPN1_Relu UPN2_Relu<UPN2 UPN3<UPN2_Relu UPsample<UPN3 SR<UPsample';

/** The input blob `weights`. `files`: of each path that the manifest names. Throws an `Error` when it is another network than `network.ts` describes. */
export function packModel(scale: Scale, { modelTopology, weightsManifest }: LayersModel, files: ReadonlyMap<string, Uint8Array>): Uint8Array<ArrayBuffer> {
  const topology = modelTopology.model_config.config.layers
    .filter(({ class_name }) => class_name !== 'InputLayer')
    .map(({ name, inbound_nodes }) => `${name}<${inbound_nodes.flat().map(([input]) => input)}`);
  if (topology.join(' ') !== TOPOLOGY) throw new Error('@upscalerjs/esrgan-slim holds another network.');
  const tensors = new Map<string, { readonly shape: string; readonly values: Float32Array }>();
  for (const { paths, weights } of weightsManifest) {
    const values = new Float32Array(concatBytes(...paths.map((path) => files.get(path) ?? new Uint8Array())).buffer);
    let at = 0;
    for (const { name, shape, dtype } of weights) {
      const count = shape.reduce((product, size) => product * size, 1);
      if (dtype === 'float32') tensors.set(name, { shape: String(shape), values: values.subarray(at, at + count) });
      at += count;
    }
  }
  const tensor = (name: string, ...shape: readonly number[]): Float32Array => {
    const found = tensors.get(name);
    if (found?.shape !== String(shape)) throw new Error(`@upscalerjs/esrgan-slim has ${name} of the shape ${found?.shape}, not ${shape}.`);
    return found.values;
  };
  return encodeWeights(
    scale,
    layersOf(scale).flatMap(({ name, edge, from, to }) => [tensor(`${name}/kernel`, edge, edge, from, to), tensor(`${name}/bias`, to)]),
  );
}
