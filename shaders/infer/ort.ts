import * as ort from 'onnxruntime-web/webgpu';
import { lossOf } from '../common/device.ts';
import type { Fed } from './feeds.ts';

/**
 * ONNX Runtime on a GPU, through its WebGPU execution provider: 27 MB of WebAssembly, in pages from our own origin and in Node from the package. It
 * does one thing at a time: two calls under way together, of one session or of two, end in errors and it never recovers. So all of them
 * wait in one line, and nobody else imports it.
 */

// Pages are not cross-origin isolated, so there are no threads; and it lives in a worker already.
ort.env.wasm.numThreads = 1;
ort.env.wasm.proxy = false;
ort.env.logLevel = 'error';
/** Of a session; that shapes are computed on the CPU is a warning. */
const ERRORS = 3;

let last: Promise<unknown> = Promise.resolve();

function inLine<T>(call: () => Promise<T>): Promise<T> {
  const called = last.then(call);
  last = called.catch(() => undefined);
  return called;
}

/** What it asks an adapter of its own for, only to see whether there is one; ours was opened before, in whatever way this machine wanted. */
const adapterOf = (device: GPUDevice): object => ({
  limits: device.limits,
  features: device.features,
  requestDevice: () => Promise.reject(new Error('there is a device')),
});

/** A model on a GPU. */
export class GpuSession {
  readonly #device: GPUDevice;
  readonly #session: ort.InferenceSession;
  readonly #loss: Promise<never>;
  /** What the GPU refused during a call and nobody asked about: what comes back would be zeros. */
  #error: string | null = null;
  readonly #note = (event: GPUUncapturedErrorEvent): void => {
    this.#error ??= event.error.message || 'out of memory';
  };

  private constructor(device: GPUDevice, session: ort.InferenceSession) {
    this.#device = device;
    this.#session = session;
    this.#loss = lossOf(device);
    device.addEventListener('uncapturederror', this.#note);
  }

  /** Throws what ONNX Runtime says about a model that it cannot open. */
  static async open(device: GPUDevice, model: Uint8Array): Promise<GpuSession> {
    const session = await inLine(() => {
      ort.env.webgpu.adapter = adapterOf(device) as typeof ort.env.webgpu.adapter;
      return ort.InferenceSession.create(model, { executionProviders: [{ name: 'webgpu', device }], logSeverityLevel: ERRORS });
    });
    return new GpuSession(device, session);
  }

  /** One output of the model, all of it. Throws when it is not of f32, when the GPU refused something, and when it is lost. */
  async run(feeds: Readonly<Record<string, Fed>>, output: string): Promise<Float32Array> {
    const call = inLine(async () => {
      this.#error = null;
      const tensors = Object.entries(feeds).map(([name, { type, data, dims }]) => [name, new ort.Tensor(type, data, dims)] as const);
      const { [output]: made } = await this.#session.run(Object.fromEntries(tensors), [output]);
      if (!(made?.data instanceof Float32Array)) throw new Error(`the model gave no float32 as ${output}`);
      return made.data;
    });
    // Of the two only the first that fails is listened to.
    call.catch(() => undefined);
    const values = await Promise.race([call, this.#loss]);
    if (this.#error !== null) throw new Error(`The GPU refused: ${this.#error}`);
    return values;
  }

  /** Frees the GPU's memory, once nothing is under way. */
  release(): void {
    this.#device.removeEventListener('uncapturederror', this.#note);
    // On a lost device nothing is left to free.
    inLine(() => this.#session.release()).catch(() => undefined);
  }
}
