import { readFile } from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import { pathToFileURL } from 'node:url';
import { type LayersModel, packModel } from './layersModel.ts';
import type { Scale } from './network.ts';

const PACKAGE = '@upscalerjs/esrgan-slim';

/** Where the package has the model of a scale. Its `exports` do not list it. */
export function modelFolder(scale: Scale): URL {
  const found = findPackageJSON(PACKAGE, import.meta.url);
  if (!found) throw new Error(`The package ${PACKAGE} is not installed.`);
  return new URL(`models/x${scale}/`, pathToFileURL(found));
}

/** The input blob `weights` of a scale. Throws an `Error` when the package holds another network than `network.ts` describes. */
export async function readWeights(scale: Scale): Promise<Uint8Array<ArrayBuffer>> {
  const folder = modelFolder(scale);
  const model = JSON.parse(await readFile(new URL('model.json', folder), 'utf8')) as LayersModel;
  const paths = model.weightsManifest.flatMap((group) => group.paths);
  const files = await Promise.all(paths.map(async (path) => [path, new Uint8Array(await readFile(new URL(path, folder)))] as const));
  return packModel(scale, model, new Map(files));
}
