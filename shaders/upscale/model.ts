import { readFile } from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import { layersOf, type Scale } from './network.ts';
import { encodeWeights } from './weights.ts';

/** Reads the weights of npm @upscalerjs/esrgan-slim: TensorFlow.js' layers format, one model.json and one file of f32 tensors a scale. */

interface Manifest {
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

const folderOf = (scale: Scale): URL => {
  const found = findPackageJSON('@upscalerjs/esrgan-slim', import.meta.url);
  if (!found) throw new Error('The package @upscalerjs/esrgan-slim is not installed.');
  return new URL(`models/x${scale}/`, `file://${found}`);
};

/** The input blob `weights` of a scale. Throws an `Error` when the package holds another network than `network.ts` describes. */
export async function readWeights(scale: Scale): Promise<Uint8Array<ArrayBuffer>> {
  const folder = folderOf(scale);
  const { modelTopology, weightsManifest } = JSON.parse(await readFile(new URL('model.json', folder), 'utf8')) as Manifest;
  const topology = modelTopology.model_config.config.layers
    .filter(({ class_name }) => class_name !== 'InputLayer')
    .map(({ name, inbound_nodes }) => `${name}<${inbound_nodes.flat().map(([input]) => input)}`);
  if (topology.join(' ') !== TOPOLOGY) throw new Error('@upscalerjs/esrgan-slim holds another network.');
  const tensors = new Map<string, { shape: string; values: Float32Array }>();
  for (const { paths, weights } of weightsManifest) {
    const files = await Promise.all(paths.map((path) => readFile(new URL(path, folder))));
    const values = new Float32Array(new Uint8Array(Buffer.concat(files)).buffer);
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
