import { toBase64Url } from '../../../shared/formats.ts';
import type { PeerSceneName } from './peerScenes.ts';

/** What the peer's back ends are in the page of render.bench.ts. */
export interface Contest {
  /** Forgets what was traced before and traces about `samples` paths through each of size x size pixels. */
  round(size: number, samples: number): Promise<RoundResult>;
  dispose(): void;
}

export interface RoundResult {
  /** From the first submission until the GPU was done. */
  readonly ms: number;
  /** Camera paths a pixel, on average. */
  readonly samples: number;
  /** Linear RGB as f32, rows from the top, in base64url. */
  readonly image: string;
}

/** Functions for the other side of the page's border, over one contest at a time. */
export function contestFace(openContest: (name: PeerSceneName) => Promise<Contest>) {
  let contest: Contest | undefined;
  return {
    /** Milliseconds that the scene took: its tree, its textures, not its shaders. */
    async open(name: PeerSceneName): Promise<number> {
      const started = performance.now();
      contest = await openContest(name);
      return performance.now() - started;
    },
    async round(size: number, samples: number): Promise<RoundResult> {
      if (!contest) throw new Error('no scene is open');
      return contest.round(size, samples);
    },
    close(): void {
      contest?.dispose();
      contest = undefined;
    },
  };
}

/** `pixels`: RGBA in rows of `stride` values. */
export function packImage(size: number, pixels: ArrayLike<number>, stride: number, upsideDown: boolean): string {
  const image = new Float32Array(size * size * 3);
  for (let row = 0; row < size; row++) {
    const from = (upsideDown ? size - 1 - row : row) * stride;
    for (let i = 0; i < size * 3; i++) image[row * size * 3 + i] = pixels[from + Math.floor(i / 3) * 4 + (i % 3)]!;
  }
  return toBase64Url(new Uint8Array(image.buffer));
}
