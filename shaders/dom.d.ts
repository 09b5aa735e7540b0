/**
 * What faces that run in pages use of a page. For projects without the DOM's own library, which are all that check this room but the
 * client's: names that are missing here are missing on purpose.
 */
interface UiEvent {
  readonly shiftKey: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  preventDefault(): void;
}
interface PointerEvent extends UiEvent {
  readonly pointerId: number;
  readonly clientX: number;
  readonly clientY: number;
  readonly buttons: number;
}
interface WheelEvent extends UiEvent {
  readonly deltaY: number;
  readonly deltaMode: number;
}
interface KeyboardEvent extends UiEvent {
  readonly key: string;
}
interface HTMLElementEventMap {
  pointerdown: PointerEvent;
  pointermove: PointerEvent;
  pointerup: PointerEvent;
  pointercancel: PointerEvent;
  lostpointercapture: PointerEvent;
  contextmenu: UiEvent;
  wheel: WheelEvent;
  keydown: KeyboardEvent;
  webglcontextlost: UiEvent;
  webglcontextrestored: UiEvent;
}
interface ElementObserver {
  observe(element: HTMLCanvasElement): void;
  disconnect(): void;
}
interface Window {
  readonly devicePixelRatio: number;
  requestAnimationFrame(draw: () => void): number;
  cancelAnimationFrame(id: number): void;
  readonly ResizeObserver: new (changed: () => void) => ElementObserver;
  readonly IntersectionObserver: new (changed: (entries: readonly { readonly isIntersecting: boolean }[]) => void) => ElementObserver;
}
interface HTMLCanvasElement {
  readonly clientWidth: number;
  readonly clientHeight: number;
  readonly ownerDocument: { readonly activeElement: unknown; readonly defaultView: Window | null };
  focus(options?: { preventScroll?: boolean }): void;
  setPointerCapture(pointerId: number): void;
  addEventListener<Type extends keyof HTMLElementEventMap>(
    type: Type,
    listener: (event: HTMLElementEventMap[Type]) => void,
    options?: { signal?: AbortSignal; passive?: boolean },
  ): void;
}
interface ImageBitmap {
  close(): void;
}
declare function createImageBitmap(image: Blob, options?: { premultiplyAlpha?: 'none'; colorSpaceConversion?: 'none' }): Promise<ImageBitmap>;
declare class Worker {
  constructor(url: URL, options?: { type: 'module' });
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onerror: ((event: { readonly message: string }) => void) | null;
  postMessage(message: unknown): void;
  terminate(): void;
}

/** What checks use of WebAssembly, which Node has and its types have not. */
declare namespace WebAssembly {
  class Memory {
    constructor(descriptor: { initial: number; maximum: number });
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module, imports?: Readonly<Record<string, Readonly<Record<string, Memory>>>>);
    readonly exports: Readonly<Record<string, unknown>>;
  }
}
