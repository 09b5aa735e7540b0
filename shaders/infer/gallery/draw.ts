import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { encode } from '../onnx/proto.ts';
import { Network } from './network.ts';
import { PICTURES } from './sample.ts';
import { drawShape, shapeNames } from './shapes.ts';

/**
 * `node shaders/infer/gallery/draw.ts` makes what lies beside this file: the model of the sample, which learns here what shapes look like, and the
 * sample's picture. Some minutes on one core; the same bytes every time on the same machine.
 */
const EDGE = 32;
const LEARNED = 4000;
const ROUNDS = 16;
const GROUP = 16;
const RATE = 0.003;
const CELL = 40;
const WEBP_QUALITY = 80;

/** Numbers below it belong to the sample, see `drawShape`. */
const FIRST_LEARNED = 1000;

const value = (byte: number): number => byte / 127.5 - 1;

function learn(): Network {
  const count = shapeNames.length;
  const network = new Network(EDGE, count, [12, 24, 32, 48], [2, 2, 2, 1], 1);
  const pictures = Array.from({ length: LEARNED }, (_, index) =>
    Float32Array.from(drawShape(index % count, FIRST_LEARNED + Math.floor(index / count), EDGE), value),
  );
  for (let round = 0, step = 0; round < ROUNDS; round++) {
    let right = 0;
    for (let first = 0; first < LEARNED; first += GROUP) {
      for (let index = first; index < first + GROUP; index++) if (network.study(pictures[index]!, index % count)) right++;
      network.learn(RATE * (1 - 0.9 * (round / ROUNDS)), ++step);
    }
    console.log(`round ${round + 1} of ${ROUNDS}: ${((100 * right) / LEARNED).toFixed(1)} % right`);
  }
  return network;
}

const tensor = (name: string, dims: readonly number[], values: Float32Array<ArrayBuffer>) => ({
  name,
  dims,
  dataType: 1,
  rawData: new Uint8Array(values.buffer),
});

/** From the order of `Network` (output, row, column, input) to that of ONNX (output, input, row, column). */
function reordered({ inputs, outputs }: Network['layers'][number], values: Float32Array): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: outputs * inputs * 9 }, (_, at) => {
    const [output, input, place] = [Math.floor(at / (9 * inputs)), Math.floor(at / 9) % inputs, at % 9];
    return values[(output * 9 + place) * inputs + input]!;
  });
}

function onnx({ layers, weights, biases }: Network): Uint8Array {
  const batch = (dims: readonly number[]) => ({ tensorType: { elemType: 1, shape: { dim: [{ dimParam: 'N' }, ...dims.map((dimValue) => ({ dimValue }))] } } });
  const ints = (name: string, ...values: number[]) => ({ name, type: 7, ints: values });
  const convolutions = layers.flatMap(({ stride }, index) => [
    {
      opType: 'Conv',
      input: [index === 0 ? 'picture' : `r${index - 1}`, `w${index}`, `b${index}`],
      output: [`c${index}`],
      attribute: [ints('kernel_shape', 3, 3), ints('strides', stride, stride), ints('pads', 1, 1, 1, 1)],
    },
    { opType: 'Relu', input: [`c${index}`], output: [`r${index}`] },
  ]);
  const last = layers.length;
  const channels = layers[last - 1]!.outputs;
  const node = [
    ...convolutions,
    { opType: 'GlobalAveragePool', input: [`r${last - 1}`], output: ['means'] },
    { opType: 'Flatten', input: ['means'], output: ['flat'] },
    { opType: 'Gemm', input: ['flat', `w${last}`, `b${last}`], output: ['scores'], attribute: [{ name: 'transB', type: 2, i: 1 }] },
  ];
  const initializer = [
    ...layers.map((layer, index) => tensor(`w${index}`, [layer.outputs, layer.inputs, 3, 3], reordered(layer, weights[index]!.values))),
    tensor(`w${last}`, [shapeNames.length, channels], weights[last]!.values),
    ...biases.map(({ values }, index) => tensor(`b${index}`, [values.length], values)),
  ];
  const input = [{ name: 'picture', type: batch([3, EDGE, EDGE]) }];
  const output = [{ name: 'scores', type: batch([shapeNames.length]) }];
  const graph = encode('GraphProto', { name: 'shapes', node, initializer, input, output });
  return encode('ModelProto', { irVersion: 8, producerName: 'tessera', opsetImport: [{ domain: '', version: 17 }], graph });
}

/** All pictures of the sample, 320 pixels wide. */
async function sheet(): Promise<Uint8Array> {
  const [columns, rows] = [shapeNames.length, PICTURES / shapeNames.length];
  const pictures = Array.from({ length: PICTURES }, (_, index) => {
    const [shape, number] = [index % columns, Math.floor(index / columns)];
    const input = Buffer.from(drawShape(shape, number, CELL));
    return { input, raw: { width: CELL, height: CELL, channels: 3 as const }, left: shape * CELL, top: number * CELL };
  });
  const empty = sharp({ create: { width: columns * CELL, height: rows * CELL, channels: 3, background: '#000' } });
  return empty.composite(pictures).webp({ quality: WEBP_QUALITY }).toBuffer();
}

await writeFile(join(import.meta.dirname, 'shapes.webp'), await sheet());
await writeFile(join(import.meta.dirname, 'shapes.onnx'), onnx(learn()));
