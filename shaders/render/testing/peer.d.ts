/** What the comparison pages use of three-gpu-pathtracer, which ships no types. Read from the sources of 0.0.26. */

declare module 'three-gpu-pathtracer' {
  import type { PerspectiveCamera, Scene, WebGLRenderer, WebGLRenderTarget } from 'three';
  export class WebGLPathTracer {
    constructor(renderer: WebGLRenderer);
    bounces: number;
    filterGlossyFactor: number;
    renderDelay: number;
    minSamples: number;
    fadeDuration: number;
    dynamicLowRes: boolean;
    rasterizeScene: boolean;
    renderToCanvas: boolean;
    synchronizeRenderSize: boolean;
    readonly tiles: { set(x: number, y: number): void };
    readonly samples: number;
    readonly target: WebGLRenderTarget;
    readonly isCompiling: boolean;
    /** Private in name: the only way to its define for Russian roulette and to a size of its own. */
    readonly _pathTracer: { readonly material: { setDefine(name: string, value: number): void }; setSize(width: number, height: number): void };
    setScene(scene: Scene, camera: PerspectiveCamera): void;
    renderSample(): void;
    reset(): void;
    dispose(): void;
  }
}

declare module 'three-gpu-pathtracer/webgpu' {
  import type { PerspectiveCamera, Scene, Texture } from 'three';
  import type { WebGPURenderer } from 'three/webgpu';
  export class WebGPUPathTracer {
    constructor(renderer: WebGPURenderer);
    maxBounces: number;
    frameBudget: number;
    filterGlossyFactor: number;
    clampDirect: number;
    clampIndirect: number;
    renderDelay: number;
    minSamples: number;
    fadeDuration: number;
    dynamicLowRes: boolean;
    synchronizeRenderSize: boolean;
    stableNoise: boolean;
    readonly target: Texture | null;
    setScene(scene: Scene, camera: PerspectiveCamera): void;
    setSize(width: number, height: number): void;
    renderSample(): void;
    getSampleCountsAsync(): Promise<{ min: number; max: number; avg: number }>;
    reset(): void;
    dispose(): void;
  }
}
