import { concatBytes } from '../../shared/formats.ts';
import { InputError } from '../../shared/workload.ts';
import { type ArchiveEntry, isArchive, readArchive } from '../common/tensors/archive.ts';
import { decodeImage } from '../common/tensors/images.ts';
import { isNpy, readNpy } from '../common/tensors/npy.ts';
import { readNpz } from '../common/tensors/npz.ts';
import type { Tensor, TensorType } from '../common/tensors/tensor.ts';
import { rowBytes } from './feeds.ts';
import { sizeOf } from './grid.ts';
import { batchLimits } from './limits.ts';
import type { ElementType, Port } from './onnx/model.ts';
import type { Feed, InferPrepared, InferSettings, PictureLayout } from './params.ts';

/** Uploaded inputs become the blob `batch`: for every input of the model a block of rows, one row for each input of the batch. */

export interface Batch extends Pick<InferPrepared, 'count' | 'feeds' | 'pictures'> {
  readonly bytes: Uint8Array;
  readonly names: readonly string[] | null;
}

const FIELD = 'inputs';
/** Blocks begin where any type may lie. */
const ALIGN_BYTES = 8;

const refuse = (message: string, limit?: string): never => {
  throw new InputError(FIELD, message, limit);
};

/** Throws `InputError`. */
export function packBatch(settings: InferSettings, ports: readonly Port[], file: Uint8Array | undefined): Promise<Batch> {
  if (!file) return Promise.reject(new InputError(FIELD, 'There are no inputs.', settings.source === 'images' ? 'a .zip of pictures' : 'an .npy or .npz'));
  return settings.source === 'images' ? packPictures(settings, ports, file) : Promise.resolve(packArrays(ports, file));
}

function requireCount(count: number): void {
  if (count === 0) refuse('The batch is empty.', 'at least one input');
  if (count > batchLimits.inputsMax) refuse(`The batch has ${count} inputs.`, `at most ${batchLimits.inputsMax}`);
}

function requireRoom(bytes: number): void {
  if (bytes > batchLimits.bytesMax) refuse(`The inputs take ${bytes} bytes as the model takes them.`, `at most ${batchLimits.bytesMax}`);
}

const said = (dimensions: readonly (number | string | null)[]): string => dimensions.map((size) => size ?? '?').join(' x ');

/** Channels, height and width of what a model takes, where that is a picture. */
export function layoutOfPort({ name, dimensions }: Port, { width, height }: Pick<InferSettings, 'width' | 'height'>): PictureLayout {
  const wrong = (): never =>
    refuse(`The input ${name} takes ${said(dimensions)}, which is no batch of pictures.`, 'N x 3 x height x width, or N x height x width x 3; or one channel');
  if (dimensions.length !== 4) return wrong();
  const [, first, second, third] = dimensions;
  const isChannels = (size: number | string | null | undefined): size is 1 | 3 => size === 1 || size === 3;
  const planar = isChannels(first);
  const channels = planar ? first : third;
  if (!isChannels(channels)) return wrong();
  const [rows, columns] = planar ? [second, third] : [first, second];
  return { channels, planar, width: edge('width', columns ?? null, width), height: edge('height', rows ?? null, height) };
}

/** What the model says, or else what was ordered. */
function edge(field: 'width' | 'height', given: number | string | null, ordered: number): number {
  if (typeof given !== 'number') {
    if (ordered === 0)
      throw new InputError(
        field,
        `The model leaves the ${field} of its pictures open${given === null ? '' : ` (${given})`}.`,
        `1 to ${batchLimits.imageEdgePixelsMax}`,
      );
    return ordered;
  }
  if (ordered !== 0 && ordered !== given)
    throw new InputError(field, `The model takes pictures with a ${field} of ${given}, ${ordered} was ordered.`, `${given}, or 0`);
  if (given > batchLimits.imageEdgePixelsMax)
    throw new InputError('model', `The model takes pictures with a ${field} of ${given}.`, `at most ${batchLimits.imageEdgePixelsMax}`);
  return given;
}

async function packPictures(settings: InferSettings, ports: readonly Port[], file: Uint8Array): Promise<Batch> {
  const [port] = ports;
  if (!port || ports.length > 1) return refuse(`The model takes ${ports.length} inputs, pictures are one.`, 'a model with one input, or arrays in an .npz');
  if (port.type !== 'float32' && port.type !== 'uint8') return refuse(`The model takes ${port.type}.`, 'float32 or uint8 where pictures go in');
  const pictures = layoutOfPort(port, settings);
  const { width, height, channels } = pictures;
  const entries = readArchive(FIELD, file);
  if (entries.some(({ name }) => name.endsWith('.npy'))) return refuse('The archive holds .npy files.', 'pictures; or choose arrays as the inputs');
  requireCount(entries.length);
  const shape = pictures.planar ? [channels, height, width] : [height, width, channels];
  const feed: Feed = { name: port.name, type: port.type, shape, first: 0, rows: 'pixels' };
  requireRoom(entries.length * rowBytes(feed));
  const bytes = new Uint8Array(entries.length * rowBytes(feed));
  for (const [index, entry] of entries.entries()) bytes.set(await row(settings, pictures, entry), index * rowBytes(feed));
  return { count: entries.length, feeds: [feed], pictures, bytes, names: entries.map(({ name }) => name) };
}

async function row({ fit }: InferSettings, { width, height, channels }: PictureLayout, entry: ArchiveEntry): Promise<Uint8Array> {
  const { rgb } = await decodeImage(FIELD, entry.read(), entry.name, { width, height, fitting: fit });
  if (channels === 3) return rgb;
  // Luma of Rec. 601, as most who train on grey pictures have it.
  return Uint8Array.from({ length: width * height }, (_, at) => Math.round(0.299 * rgb[3 * at]! + 0.587 * rgb[3 * at + 1]! + 0.114 * rgb[3 * at + 2]!));
}

const tensorTypes: Readonly<Record<ElementType, TensorType>> = { float32: 'f32', uint8: 'u8', int32: 'i32', int64: 'i64' };

function tensorsOf(ports: readonly Port[], file: Uint8Array): Tensor[] {
  if (isNpy(file)) {
    if (ports.length > 1) refuse(`The model takes ${ports.length} inputs, an .npy is one.`, `an .npz with ${ports.map(({ name }) => name).join(', ')}`);
    return [readNpy(FIELD, file)];
  }
  if (!isArchive(file)) refuse('This is no array.', 'an .npy or .npz as NumPy saves them');
  const arrays = readNpz(FIELD, file);
  const [only] = arrays.values();
  if (ports.length === 1 && arrays.size === 1) return [only!()];
  return ports.map(({ name }) => {
    const array = arrays.get(name);
    return array ? array() : refuse(`The .npz has no array ${name}.`, `${ports.map((port) => port.name).join(', ')}, as the model calls its inputs`);
  });
}

/** The size of the batch is that of the first dimension; all others must be what the model says, where it does. */
function requireFit({ name, type, dimensions }: Port, tensor: Tensor): void {
  const { shape, fortran } = tensor;
  if (tensor.type !== tensorTypes[type]) refuse(`The array for ${name} is of type ${tensor.type}.`, tensorTypes[type]);
  if (fortran) refuse(`The array for ${name} is in Fortran order.`, 'C order: numpy.ascontiguousarray');
  const fits =
    shape.length === dimensions.length && shape.every((size, axis) => axis === 0 || typeof dimensions[axis] !== 'number' || dimensions[axis] === size);
  if (!fits || shape.some((size) => size === 0)) refuse(`The array for ${name} is ${said(shape)}.`, `N x ${said(dimensions.slice(1))}`);
}

function requireFinite({ name }: Port, { data }: Tensor): void {
  if (!(data instanceof Float32Array)) return;
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) refuse(`Value ${at} of the array for ${name} is ${data[at]}.`, 'finite numbers');
}

function packArrays(ports: readonly Port[], file: Uint8Array): Batch {
  const tensors = tensorsOf(ports, file);
  const count = tensors[0]!.shape[0] ?? 0;
  requireCount(count);
  const feeds: Feed[] = [];
  const pieces: Uint8Array[] = [];
  let end = 0;
  for (const [index, port] of ports.entries()) {
    const tensor = tensors[index]!;
    requireFit(port, tensor);
    if (tensor.shape[0] !== count) refuse(`The array for ${port.name} has ${tensor.shape[0]} inputs, that for ${ports[0]!.name} ${count}.`, `${count}`);
    requireFinite(port, tensor);
    const { buffer, byteOffset, byteLength } = tensor.data;
    feeds.push({ name: port.name, type: port.type, shape: tensor.shape.slice(1), first: end, rows: 'values' });
    const padding = -byteLength & (ALIGN_BYTES - 1);
    pieces.push(new Uint8Array(buffer, byteOffset, byteLength), new Uint8Array(padding));
    end += byteLength + padding;
    requireRoom(end);
  }
  const values = feeds.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  if (values === 0) refuse('The arrays hold no values.', 'at least one');
  return { count, feeds, pictures: null, bytes: concatBytes(...pieces), names: null };
}
