import { WebGLRenderer } from 'three';
import { WebGLPathTracer } from 'three-gpu-pathtracer';
import { type Contest, contestFace, packImage, type RoundResult } from './peerContest.ts';
import { type PeerSceneName, peerScene } from './peerScenes.ts';
import { peerBounces, type ThreeScene, threeScene } from './peerThree.ts';

/** The peer's WebGL back end in the page of render.bench.ts. */

let renderer: WebGLRenderer | undefined;

const nextTask = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

class WebGlContest implements Contest {
  readonly #tracer: WebGLPathTracer;
  readonly #three: ThreeScene;
  readonly #renderer: WebGLRenderer;
  #size = 0;

  constructor(name: PeerSceneName, on: WebGLRenderer) {
    const described = peerScene(name);
    this.#renderer = on;
    this.#three = threeScene(described);
    this.#tracer = new WebGLPathTracer(on);
    Object.assign(this.#tracer, { bounces: peerBounces(described), filterGlossyFactor: 0, renderDelay: 0, minSamples: 0, fadeDuration: 0 });
    Object.assign(this.#tracer, { dynamicLowRes: false, rasterizeScene: false, renderToCanvas: false, synchronizeRenderSize: false });
    // The whole picture in one draw, and no Russian roulette: it has no public setting.
    this.#tracer.tiles.set(1, 1);
    this.#tracer._pathTracer.material.setDefine('FEATURE_RUSSIAN_ROULETTE', 0);
    this.#tracer.setScene(this.#three.scene, this.#three.camera);
  }

  async round(size: number, samples: number): Promise<RoundResult> {
    if (size !== this.#size) {
      this.#size = size;
      this.#tracer._pathTracer.setSize(size, size);
    }
    this.#tracer.reset();
    this.#finish();
    const started = performance.now();
    while (this.#tracer.samples < samples) {
      this.#tracer.renderSample();
      // Shaders compile in the background, while nothing is drawn.
      if (this.#tracer.isCompiling) await nextTask();
    }
    this.#finish();
    const ms = performance.now() - started;
    return { ms, samples: this.#tracer.samples, image: packImage(size, this.#pixels(size, size), 4 * size, true) };
  }

  #pixels(width: number, height: number): Float32Array {
    const pixels = new Float32Array(width * height * 4);
    this.#renderer.readRenderTargetPixels(this.#tracer.target, 0, 0, width, height, pixels);
    return pixels;
  }

  /** Reading a pixel waits for all that was drawn. */
  #finish(): void {
    this.#pixels(1, 1);
  }

  dispose(): void {
    this.#tracer.dispose();
    this.#three.dispose();
  }
}

function openRenderer(): WebGLRenderer {
  const opened = new WebGLRenderer({ powerPreference: 'high-performance' });
  // With this the sums are blended, without it they are copied back and forth.
  if (!opened.extensions.has('EXT_float_blend')) console.warn('WebGL has no EXT_float_blend');
  return opened;
}

export const { open, round, close } = contestFace(async (name) => {
  renderer ??= openRenderer();
  return new WebGlContest(name, renderer);
});
