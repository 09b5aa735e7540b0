import type { RenderParams } from '../params.ts';
import { diffuseScenes } from './gltfDiffuse.ts';
import { glossyScenes } from './gltfGlossy.ts';

/** The project's own glTF scenes, which another renderer renders too: `npm run cycles`. Each is small, and equal calls give equal bytes. */

export interface GltfFiles {
  /** A .glb. */
  readonly model: Uint8Array;
  /** A .hdr. */
  readonly environment?: Uint8Array;
}

export interface GltfScene {
  /** What a difference is measured by: glossy and transmissive scenes lean on more of the surface model. */
  readonly kind: 'diffuse' | 'glossy';
  /** Width, height, bounces and lighting are the scene's own; samples are the caller's. */
  readonly params: Pick<RenderParams, 'width' | 'height' | 'bounces' | 'lighting'>;
  build(): Promise<GltfFiles>;
}

export const gltfScenes: Readonly<Record<string, GltfScene>> = { ...diffuseScenes, ...glossyScenes };
