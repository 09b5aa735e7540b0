import { RenderTarget, WebGPURenderer } from 'three/webgpu';
import { WebGPUPathTracer } from 'three-gpu-pathtracer/webgpu';
import { type Contest, contestFace, packImage, type RoundResult } from './peerContest.ts';
import { type PeerSceneName, peerScene } from './peerScenes.ts';
import { peerBounces, type ThreeScene, threeScene } from './peerThree.ts';

/**
 * The peer's WebGPU back end in the page of render.bench.ts: its wavefront, which is its default. Its megakernel is private, was no faster
 * than 2:1 of it in software, and draws other pictures: the underside of the golden sphere was black.
 */

let renderer: Promise<WebGPURenderer> | undefined;

class WebGpuContest implements Contest {
  readonly #tracer: WebGPUPathTracer;
  readonly #three: ThreeScene;
  readonly #renderer: WebGPURenderer;
  /** Calls that a sample takes: what the last round found. */
  #callsPerSample = 4;

  constructor(name: PeerSceneName, on: WebGPURenderer) {
    const described = peerScene(name);
    this.#renderer = on;
    this.#three = threeScene(described);
    this.#tracer = new WebGPUPathTracer(on);
    // Its defaults blur glossy surfaces and clamp indirect light: faster to look smooth, but another picture.
    Object.assign(this.#tracer, { maxBounces: peerBounces(described), filterGlossyFactor: 0, clampDirect: 0, clampIndirect: 0 });
    Object.assign(this.#tracer, { renderDelay: 0, minSamples: 0, fadeDuration: 0, dynamicLowRes: false, synchronizeRenderSize: false, stableNoise: false });
    this.#tracer.setScene(this.#three.scene, this.#three.camera);
  }

  async round(size: number, samples: number): Promise<RoundResult> {
    const pixels = size * size;
    this.#tracer.frameBudget = pixels;
    this.#tracer.setSize(size, size);
    this.#tracer.reset();
    await this.#finish();
    const started = performance.now();
    let [traced, calls] = [0, 0];
    while (traced < samples) {
      const batch = Math.max(1, Math.ceil((samples - traced) * this.#callsPerSample));
      for (let i = 0; i < batch; i++) this.#tracer.renderSample();
      await this.#finish();
      calls += batch;
      traced = (await this.#tracer.getSampleCountsAsync()).avg;
      if (traced > 0) this.#callsPerSample = calls / traced;
    }
    const ms = performance.now() - started;
    const texture = this.#tracer.target;
    if (!texture) throw new Error('the peer has no picture');
    const read = await this.#renderer.readRenderTargetPixelsAsync({ textures: [texture] } as unknown as RenderTarget, 0, 0, size, size);
    // The wavefront has a path under way for every pixel, half done on average, that its counts leave out.
    return { ms, samples: traced + 0.5, image: packImage(size, read, Math.ceil((size * 16) / 256) * 64, false) };
  }

  #finish(): Promise<undefined> {
    return (this.#renderer.backend as unknown as { readonly device: GPUDevice }).device.queue.onSubmittedWorkDone();
  }

  dispose(): void {
    this.#tracer.dispose();
    this.#three.dispose();
  }
}

async function openRenderer(): Promise<WebGPURenderer> {
  const opened = await new WebGPURenderer({ powerPreference: 'high-performance' }).init();
  // The peer shows its picture after every call. To a texture of one pixel that costs it next to nothing, and Chromium 156 loses its
  // software adapter when a page takes a texture of a canvas ("external Instance reference no longer exists").
  opened.setRenderTarget(new RenderTarget(1, 1));
  return opened;
}

export const { open, round, close } = contestFace(async (name) => {
  renderer ??= openRenderer();
  return new WebGpuContest(name, await renderer);
});
