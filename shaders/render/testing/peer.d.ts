/**
 * What the comparison pages use of three and three-gpu-pathtracer, which ship no types or types that need three's. Read from the
 * sources of three 0.187.0 and 0.185.0 and three-gpu-pathtracer 0.0.26.
 */

declare module 'three' {
  export class Vector3 {
    constructor(x?: number, y?: number, z?: number);
    set(x: number, y: number, z: number): this;
  }
  export class Color {
    constructor(color?: number);
    /** In the working colour space, which is linear. */
    setRGB(r: number, g: number, b: number): this;
  }
  export class Object3D {
    readonly position: Vector3;
    add(...objects: Object3D[]): this;
    lookAt(x: number, y: number, z: number): void;
  }
  export class Scene extends Object3D {
    background: Texture | Color | null;
    environment: Texture | null;
  }
  export class PerspectiveCamera extends Object3D {
    /** Degrees. */
    constructor(fov?: number, aspect?: number, near?: number, far?: number);
  }
  export class BufferAttribute {
    constructor(array: Float32Array | Uint32Array, itemSize: number);
  }
  export class BufferGeometry {
    setAttribute(name: string, attribute: BufferAttribute): this;
    setIndex(index: BufferAttribute): this;
    dispose(): void;
  }
  export class Material {
    dispose(): void;
  }
  export class MeshPhysicalMaterial extends Material {
    constructor(parameters?: Record<string, unknown>);
    readonly color: Color;
    readonly emissive: Color;
  }
  export class Mesh extends Object3D {
    constructor(geometry: BufferGeometry, material: Material);
  }
  export class Light extends Object3D {
    color: Color;
    intensity: number;
  }
  export class RectAreaLight extends Light {
    constructor(color: number, intensity: number, width: number, height: number);
  }
  export class PointLight extends Light {
    constructor(color: number, intensity: number, distance: number, decay: number);
  }
  export class SpotLight extends Light {
    constructor(color: number, intensity: number, distance: number, angle: number, penumbra: number, decay: number);
    readonly target: Object3D;
  }
  export class DirectionalLight extends Light {
    constructor(color: number, intensity: number);
    readonly target: Object3D;
  }
  export class Texture {
    minFilter: number;
    magFilter: number;
    wrapS: number;
    wrapT: number;
    mapping: number;
    generateMipmaps: boolean;
    needsUpdate: boolean;
    dispose(): void;
  }
  export class DataTexture extends Texture {
    constructor(data: Uint16Array | Float32Array, width: number, height: number, format: number, type: number);
  }
  export const DataUtils: { toHalfFloat(value: number): number };
  export const LinearFilter: number;
  export const RepeatWrapping: number;
  export const ClampToEdgeWrapping: number;
  export const EquirectangularReflectionMapping: number;
  export const RGBAFormat: number;
  export const HalfFloatType: number;
  export const DoubleSide: number;
  export interface RenderTarget {
    readonly texture: Texture;
  }
  export class WebGLRenderer {
    constructor(parameters?: Record<string, unknown>);
    readonly extensions: { has(name: string): boolean };
    setPixelRatio(ratio: number): void;
    setSize(width: number, height: number, style?: boolean): void;
    readRenderTargetPixels(target: RenderTarget, x: number, y: number, width: number, height: number, buffer: Float32Array): void;
  }
}

declare module 'three/webgpu' {
  export * from 'three';

  import type { Texture } from 'three';
  export class RenderTarget {
    constructor(width: number, height: number);
  }
  export class WebGPURenderer {
    constructor(parameters?: Record<string, unknown>);
    readonly backend: { readonly device: GPUDevice };
    init(): Promise<this>;
    setRenderTarget(target: RenderTarget): void;
    readRenderTargetPixelsAsync(target: { textures: readonly Texture[] }, x: number, y: number, width: number, height: number): Promise<ArrayLike<number>>;
  }
}

declare module 'three-gpu-pathtracer' {
  import type { PerspectiveCamera, RenderTarget, Scene, WebGLRenderer } from 'three';
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
    readonly target: RenderTarget;
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
