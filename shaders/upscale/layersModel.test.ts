import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { type LayersModel, packModel } from './layersModel.ts';
import { modelFolder, readWeights } from './model.ts';
import { scales, weightCount } from './network.ts';
import { decodeWeights } from './weights.ts';

const folder = modelFolder(2);
const model = JSON.parse(await readFile(new URL('model.json', folder), 'utf8')) as LayersModel;
const file = new Uint8Array(await readFile(new URL('group1-shard1of1.bin', folder)));
const pack = (other: LayersModel, bytes = file) => packModel(2, other, new Map([['group1-shard1of1.bin', bytes]]));

test('the package has the weights of every scale, and nothing but them', async () => {
  for (const scale of scales) {
    const weights = await readWeights(scale);
    expect(weights.byteLength).toBe(8 + 4 * weightCount(scale));
    expect(decodeWeights(scale, weights).every(({ kernel, bias }) => [...kernel, ...bias].every(Number.isFinite))).toBe(true);
  }
  expect(file.byteLength).toBe(4 * weightCount(2));
});

test('a kernel and a bias are those of their layer', async () => {
  const decoded = decodeWeights(2, pack(model));
  const floats = new Float32Array(file.buffer);
  // The file has its tensors in alphabetical order: F_0, F_1_1, ...
  const first = decoded.find(({ layer }) => layer.name === 'F_0');
  expect(first?.kernel).toEqual(floats.subarray(0, 9 * 64 * 64));
  expect(first?.bias).toEqual(floats.subarray(9 * 64 * 64, 9 * 64 * 64 + 64));
});

test('another network, another shape, and a file that is too short are refused', () => {
  const { layers } = model.modelTopology.model_config.config;
  const rewired = layers.map((layer) => (layer.name === 'F_0' ? { ...layer, inbound_nodes: [[['LR'] as const]] } : layer));
  expect(() => pack({ ...model, modelTopology: { model_config: { config: { layers: rewired } } } })).toThrow(/another network/);
  const [group] = model.weightsManifest;
  const reshaped = group!.weights.map((each) => (each.name === 'UPN3/bias' ? { ...each, shape: [11] } : each));
  expect(() => pack({ ...model, weightsManifest: [{ ...group!, weights: reshaped }] })).toThrow(/UPN3\/bias of the shape 11, not 12/);
  expect(() => pack(model, file.subarray(0, file.length - 4))).toThrow(RangeError);
});
