import * as ort from 'onnxruntime-web/wasm';
import type { Fed } from './feeds.ts';

/** ONNX Runtime on one core of the coordinator, in WebAssembly: whatever a model does there, it cannot leave its memory. */

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';
/** Of sessions and runs: what they cannot do is thrown, and need not be printed too. */
const ERRORS = 4;

/** Of WebAssembly, 64 KiB each: 2 GiB. What it has grown to stays with the thread for ever, and by itself it would take 4. */
const MEMORY_PAGES_MAX = 32_768;

/** The first session makes the one memory that all have; nothing else lets it be bounded. */
async function withBoundedMemory<T>(first: () => Promise<T>): Promise<T> {
  const { Memory } = WebAssembly;
  class Bounded extends Memory {
    constructor(wanted: ConstructorParameters<typeof Memory>[0]) {
      super({ ...wanted, maximum: Math.min(wanted.maximum ?? MEMORY_PAGES_MAX, MEMORY_PAGES_MAX) });
    }
  }
  Object.assign(WebAssembly, { Memory: Bounded });
  try {
    return await first();
  } finally {
    Object.assign(WebAssembly, { Memory });
  }
}

let isBounded = false;

export interface Made {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: ArrayLike<unknown>;
}

export class CpuSession {
  readonly #session: ort.InferenceSession;

  private constructor(session: ort.InferenceSession) {
    this.#session = session;
  }

  /** `asIs`: every node on its own, as the file says. Throws what ONNX Runtime says about a model that it cannot open. */
  static async open(model: Uint8Array, asIs = false): Promise<CpuSession> {
    const graphOptimizationLevel = asIs ? 'disabled' : 'all';
    const create = () => ort.InferenceSession.create(model, { executionProviders: ['wasm'], graphOptimizationLevel, logSeverityLevel: ERRORS });
    const created = isBounded ? create() : withBoundedMemory(create);
    isBounded = true;
    return new CpuSession(await created);
  }

  async run(feeds: Readonly<Record<string, Fed>>, outputs: readonly string[]): Promise<Readonly<Record<string, Made>>> {
    const tensors = Object.entries(feeds).map(([name, { type, data, dims }]) => [name, new ort.Tensor(type, data, dims)] as const);
    return (await this.#session.run(Object.fromEntries(tensors), [...outputs], { logSeverityLevel: ERRORS })) as Readonly<Record<string, Made>>;
  }

  /** One output, which must be of f32. */
  async floats(feeds: Readonly<Record<string, Fed>>, output: string): Promise<Float32Array> {
    const { [output]: made } = await this.run(feeds, [output]);
    if (!(made?.data instanceof Float32Array)) throw new Error(`the model gave no float32 as ${output}`);
    return made.data;
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}
