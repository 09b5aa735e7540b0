import { uploadStorage } from '../common/buffers.ts';
import { checked } from '../common/scopes.ts';
import { convolveSource, type Memory, STEP_INPUTS } from './convolve.ts';
import enlarge from './enlarge.wgsl?raw';
import { MARGIN, OUTPUT_LAYER, type Scale } from './network.ts';
import { header, type Plane, type Stage, stagesOf } from './plan.ts';
import read from './read.wgsl?raw';
import type { LayerWeights } from './weights.ts';
import window from './window.wgsl?raw';

const readSource = [header({ MARGIN }), window, read].join('\n');

/** `last`: what the last convolution reads. */
const enlargeSource = (scale: Scale, last: Plane): string => [header({ SCALE: scale, FIRST: last.vec4s, MARGIN: last.margin }), window, enlarge].join('\n');

/** [taps x inputs][columns], where inputs and columns are filled up to fours and the rows to whole steps of `step` of them, then the bias. */
function packed({ layer, kernel, bias }: LayerWeights, columns: number, step: number): Uint8Array<ArrayBuffer> {
  const inputs = Math.ceil(layer.from / 4) * 4;
  const rows = Math.ceil((layer.edge ** 2 * inputs) / step) * step;
  const out = new Float32Array((rows + 1) * columns * 4);
  for (let tap = 0; tap < layer.edge ** 2; tap++)
    for (let input = 0; input < layer.from; input++) {
      const from = (tap * layer.from + input) * layer.to;
      out.set(kernel.subarray(from, from + layer.to), (tap * inputs + input) * columns * 4);
    }
  out.set(bias, rows * columns * 4);
  return new Uint8Array(out.buffer);
}

/** Everything on the GPU that the tiles of a job share. Pipelines in the order of `scheduleOf`: reading, the stages, the last layer. */
export interface Kernels {
  readonly stages: readonly Stage[];
  readonly layout: GPUBindGroupLayout;
  readonly pipelines: readonly GPUComputePipeline[];
  /** What a pipeline has as binding 2: the image, or a layer's weights. */
  readonly constants: readonly GPUBuffer[];
}

/** The same for every pipeline: what one has no use for is bound to something else. */
function layoutOf(device: GPUDevice): GPUBindGroupLayout {
  const visibility = GPUShaderStage.COMPUTE;
  const storage = (binding: number, type: GPUBufferBindingType): GPUBindGroupLayoutEntry => ({ binding, visibility, buffer: { type } });
  return device.createBindGroupLayout({
    label: 'upscale',
    entries: [
      { binding: 0, visibility, buffer: { type: 'uniform', hasDynamicOffset: true } },
      storage(1, 'read-only-storage'),
      storage(2, 'read-only-storage'),
      storage(3, 'storage'),
      storage(4, 'read-only-storage'),
      storage(5, 'read-only-storage'),
      storage(6, 'read-only-storage'),
    ],
  });
}

interface Compiler {
  readonly layout: GPUBindGroupLayout;
  /** Compiles a source once. */
  readonly pipeline: (label: string, code: string) => Promise<GPUComputePipeline>;
}

/** Jobs differ by their inputs alone: what one has compiled, the next one uses. */
const compilers = new WeakMap<GPUDevice, Compiler>();

function compilerOf(device: GPUDevice): Compiler {
  const known = compilers.get(device);
  if (known) return known;
  const layout = layoutOf(device);
  const pipelineLayout = device.createPipelineLayout({ label: 'upscale', bindGroupLayouts: [layout] });
  const compiled = new Map<string, Promise<GPUComputePipeline>>();
  const pipeline: Compiler['pipeline'] = (label, code) => {
    const compute = (): GPUProgrammableStage => ({ module: device.createShaderModule({ label, code }) });
    const made = compiled.get(code) ?? device.createComputePipelineAsync({ label, layout: pipelineLayout, compute: compute() });
    compiled.set(code, made);
    return made;
  };
  const compiler = { layout, pipeline };
  compilers.set(device, compiler);
  return compiler;
}

/** Compiles the kernels and uploads the inputs. Throws what the GPU reports, and with both numbers where the image does not fit into a binding. */
export async function makeKernels(device: GPUDevice, memory: Memory, scale: Scale, weights: readonly LayerWeights[], image: Uint8Array): Promise<Kernels> {
  const stages = stagesOf(scale);
  const { layout, pipeline } = compilerOf(device);
  const pipelines = await Promise.all([
    pipeline('read', readSource),
    ...stages.map(({ output }) => pipeline(`convolve to ${output.vec4s * 4}`, convolveSource(output.vec4s, memory))),
    pipeline(OUTPUT_LAYER, enlargeSource(scale, stages.at(-1)!.output)),
  ]);
  const words = new Uint8Array(Math.ceil(image.byteLength / 4) * 4);
  words.set(image);
  const made: GPUBuffer[] = [];
  const upload = (label: string, bytes: Uint8Array<ArrayBuffer>, stride: number): void => {
    made.push(uploadStorage(device, label, bytes, stride));
  };
  try {
    await checked(device, () => {
      upload('image', words, 4);
      for (const [at, stage] of stages.entries()) upload(stage.layer.name, packed(weights[at]!, stage.output.vec4s, STEP_INPUTS), 16);
      upload(OUTPUT_LAYER, packed(weights.at(-1)!, 1, 4), 16);
    });
  } catch (error) {
    for (const buffer of made) buffer.destroy();
    throw error;
  }
  return { stages, layout, pipelines, constants: made };
}
