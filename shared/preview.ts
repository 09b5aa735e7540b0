/**
 * The face of a workload that shows an order before it is sent: `preview.ts`, in pages, from the files as they lie on the visitor's device.
 * A workload of which there is nothing to see has none.
 */

/** Parameters to order from now on; those that are undefined are left out again. */
export type Patch<Params> = { readonly [Name in keyof Params]?: Params[Name] | undefined };

/** A choice that the files bring, such as one of a scene's cameras, as the parameters that it orders. */
export interface PreviewChoice<Params = unknown> {
  readonly label: string;
  readonly params: Patch<Params>;
}

/** In CSS pixels of the canvas. */
export interface PreviewRect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface PreviewHost<Params = unknown> {
  /** In the document, with a size of its own; the preview listens to its pointer and keys and follows its size. */
  readonly canvas: HTMLCanvasElement;
  /** The visitor chose something in the picture. The page calls `show` with what is ordered then. */
  change(params: Patch<Params>): void;
  /** The GPU took the drawing away, or gave it back: the preview draws again by itself. */
  lost(isLost: boolean): void;
}

export interface Preview<Params = unknown> {
  /** Figures for people, such as `{ triangles: 36 }`. */
  readonly facts: Readonly<Record<string, number>>;
  /** What of the files is not computed as it stands there, in plain sentences; a quote knows more. */
  readonly report: readonly string[];
  /** How to move in the picture, for people who cannot see it at once. */
  readonly instructions: string;
  /** Points of view to pick from. */
  readonly viewpoints: readonly PreviewChoice<Params>[];
  /** The one of them that is ordered; null for one of the visitor's own. */
  viewpointOf(params: Params): number | null;
  /** Frames of the files' whole motion at the ordered rate, and its seconds; null where nothing moves. */
  timeline(params: Params): { readonly frames: number; readonly seconds: number } | null;
  /** Which frames may be ordered, seen from the one that is shown. */
  ranges(params: Params, frame: number): readonly PreviewChoice<Params>[];
  /** What of the canvas the ordered picture will show. */
  crop(params: Params, width: number, height: number): PreviewRect;
  /** Draws this order, at this frame of the motion. */
  show(params: Params, frame: number): void;
  /** Frees all of its GPU memory and the drawing context itself. The canvas cannot be used again. */
  close(): void;
}

/** This browser draws no preview. Orders work all the same. */
export class PreviewUnavailable extends Error {
  override readonly name = 'PreviewUnavailable';
}

export interface WorkloadPreview<Params = unknown> {
  /**
   * Reads the files and draws them. Throws `InputError` for files that would be refused as well, `PreviewUnavailable` where there is no GPU,
   * and `signal.reason` when aborted; after a throw nothing is left of it.
   */
  open(host: PreviewHost<Params>, files: Readonly<Record<string, Blob>>, params: Params, signal: AbortSignal): Promise<Preview<Params>>;
}
