import { AgXToneMapping, type Camera, LinearToneMapping, Material, Mesh, type Object3D, Scene, Texture, WebGLRenderer } from 'three';
import { type Patch, type Preview, type PreviewChoice, type PreviewHost, PreviewUnavailable, type WorkloadPreview } from '../../shared/preview.ts';
import { InputError } from '../../shared/workload.ts';
import { cornellBox } from './cornell.ts';
import { type RenderParams, type RenderSettings, settingsOf, type View } from './params.ts';
import { builtInStage } from './preview/builtIn.ts';
import { instructions, listen } from './preview/controls.ts';
import { cropOf, roundedView, viewOf } from './preview/frame.ts';
import { type Lamps, lampsOf, Sky } from './preview/light.ts';
import { type ReadFiles, readFiles } from './preview/read.ts';
import { type Lens, lensOf, setCamera } from './preview/shot.ts';
import { openModel, type Stage } from './preview/stage.ts';

/** The scene at once, rasterised by three.js: what it looks like from where, before anything is sent or paid. */

const PIXEL_RATIO_MAX = 2;
/** Frames that one job may have. */
const FRAMES_MAX = 1000;

function rendererOn(canvas: HTMLCanvasElement): WebGLRenderer {
  try {
    // Kept, so that what was drawn once stays there until something changes.
    return new WebGLRenderer({ canvas, antialias: true, logarithmicDepthBuffer: true, preserveDrawingBuffer: true });
  } catch (error) {
    throw new PreviewUnavailable(error instanceof Error ? error.message : String(error));
  }
}

export const open: WorkloadPreview<RenderParams>['open'] = async (host, files, params, signal) => {
  const renderer = rendererOn(host.canvas);
  let preview: RenderPreview | null = null;
  try {
    const read = await readFiles(files, signal);
    if (!read.model && params.scene === 'file')
      throw new InputError('model', 'A .glb file is needed for this scene.', 'one file, or the Cornell box as the scene');
    const model = read.model && (await openModel(read.model));
    signal.throwIfAborted();
    preview = new RenderPreview(host, renderer, model, read);
    await preview.begin(params, signal);
    return preview;
  } catch (error) {
    if (preview) preview.close();
    else release(renderer);
    throw error;
  }
};

function release(renderer: WebGLRenderer): void {
  renderer.dispose();
  renderer.forceContextLoss();
}

const nextTask = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

class RenderPreview implements Preview<RenderParams> {
  readonly instructions = instructions;
  readonly #host: PreviewHost<RenderParams>;
  readonly #renderer: WebGLRenderer;
  readonly #model: Stage | null;
  readonly #scene = new Scene();
  readonly #sky: Sky;
  readonly #ending = new AbortController();
  readonly #lamps = new Map<Stage, Lamps>();
  #builtIn: Stage | null = null;
  #stage: Stage | null = null;
  #params: RenderParams | null = null;
  #second = 0;
  #drawing = 0;
  #isSeen = true;
  #isLost = false;

  constructor(host: PreviewHost<RenderParams>, renderer: WebGLRenderer, model: Stage | null, { environment }: ReadFiles) {
    this.#host = host;
    this.#renderer = renderer;
    this.#model = model;
    this.#sky = new Sky(renderer, environment);
    this.#watch(host.canvas);
  }

  get facts(): Readonly<Record<string, number>> {
    const stage = this.#stage;
    if (!stage) return {};
    return { triangles: stage.triangles, cameras: stage.cameras().length, ...(stage.seconds > 0 && { animationSeconds: Number(stage.seconds.toFixed(3)) }) };
  }

  get report(): readonly string[] {
    return this.#stage?.report ?? [];
  }

  get viewpoints(): readonly PreviewChoice<RenderParams>[] {
    const cameras = this.#stage?.cameras() ?? [];
    if (cameras.length === 0) return [{ label: 'The whole scene', params: { camera: 0, view: undefined } }];
    return cameras.map(({ name }, camera) => ({ label: name, params: { camera, view: undefined } }));
  }

  viewpointOf(params: RenderParams): number | null {
    const { view, camera } = settingsOf(params);
    return view ? null : Math.min(camera, this.viewpoints.length - 1);
  }

  timeline(params: RenderParams): { frames: number; seconds: number } | null {
    const seconds = this.#stage?.seconds ?? 0;
    return seconds > 0 ? { frames: Math.floor(seconds * settingsOf(params).framesPerSecond + 1e-6) + 1, seconds } : null;
  }

  ranges(params: RenderParams, frame: number): readonly PreviewChoice<RenderParams>[] {
    const all = this.timeline(params)?.frames ?? 1;
    const from = (label: string, firstFrame: number, frames: number) => ({ label, params: { firstFrame, frames: Math.min(FRAMES_MAX, Math.max(1, frames)) } });
    return [from('This frame only', frame, 1), from('From here to the end', frame, all - frame), from('The whole animation', 0, all)];
  }

  crop(params: RenderParams, width: number, height: number) {
    return cropOf(params.width / params.height, width, height);
  }

  show(params: RenderParams, frame: number): void {
    this.#apply(params, frame);
    this.#drawSoon();
  }

  /** The first picture. Textures go to the GPU one in a task, and shaders are compiled beside, so that the page goes on answering. */
  async begin(params: RenderParams, signal: AbortSignal): Promise<void> {
    this.#apply(params, settingsOf(params).firstFrame);
    for (const texture of texturesOf(this.#scene)) {
      this.#renderer.initTexture(texture);
      await nextTask();
      signal.throwIfAborted();
    }
    const camera = this.#camera();
    if (camera) await this.#renderer.compileAsync(this.#scene, camera);
    signal.throwIfAborted();
    this.#draw();
  }

  close(): void {
    this.#ending.abort();
    this.#host.canvas.ownerDocument.defaultView?.cancelAnimationFrame(this.#drawing);
    for (const stage of [this.#model, this.#builtIn]) if (stage) disposeAll(stage.root);
    this.#sky.dispose();
    release(this.#renderer);
  }

  #apply(params: RenderParams, frame: number): void {
    const settings = settingsOf(params);
    this.#params = params;
    this.#second = frame / settings.framesPerSecond;
    this.#enter(this.#stageOf(settings));
    this.#stage?.seek(this.#second);
    this.#renderer.toneMapping = settings.toneMap === 'agx' ? AgXToneMapping : LinearToneMapping;
    this.#renderer.toneMappingExposure = 2 ** settings.exposure;
    const lamps = this.#stage && this.#lamps.get(this.#stage);
    this.#sky.set(this.#scene, lamps ?? { shines: false, glow: 0 }, params);
  }

  #stageOf({ scene }: RenderSettings): Stage | null {
    if (scene === 'file') return this.#model;
    this.#builtIn ??= builtInStage(cornellBox());
    return this.#builtIn;
  }

  #enter(stage: Stage | null): void {
    if (stage === this.#stage) return;
    const last = this.#stage && this.#lamps.get(this.#stage);
    if (this.#stage) this.#scene.remove(this.#stage.root, ...(last ? [last.group] : []));
    this.#stage = stage;
    if (!stage) return;
    const lamps = this.#lamps.get(stage) ?? lampsOf(stage, stage.box([]));
    this.#lamps.set(stage, lamps);
    this.#scene.add(stage.root, lamps.group);
  }

  #lens(): Lens | null {
    return this.#stage && this.#params && lensOf(this.#stage, this.#params);
  }

  #camera(): Camera | null {
    const lens = this.#lens();
    const { clientWidth: width, clientHeight: height } = this.#host.canvas;
    return lens && this.#params && width > 0 && height > 0 ? setCamera(lens, this.crop(this.#params, width, height), width, height) : null;
  }

  #watch(canvas: HTMLCanvasElement): void {
    const { signal } = this.#ending;
    const view = canvas.ownerDocument.defaultView;
    if (!view) throw new PreviewUnavailable('the canvas is in no window');
    const sized = new view.ResizeObserver(() => this.#drawSoon());
    sized.observe(canvas);
    const seen = new view.IntersectionObserver((entries) => {
      this.#isSeen = entries.at(-1)?.isIntersecting ?? true;
      this.#drawSoon();
    });
    seen.observe(canvas);
    signal.addEventListener('abort', () => {
      sized.disconnect();
      seen.disconnect();
    });
    const lost = (isLost: boolean) => (): void => {
      this.#isLost = isLost;
      if (!isLost) this.#sky.draw();
      this.#host.lost(isLost);
      this.#drawSoon();
    };
    canvas.addEventListener('webglcontextlost', lost(true), { signal });
    canvas.addEventListener('webglcontextrestored', lost(false), { signal });
    listen(
      canvas,
      { move: (change) => this.#move(change), home: () => this.#host.change({ view: undefined }), radius: () => this.#lens()?.radius ?? 1 },
      signal,
    );
  }

  #move(change: (view: View) => View): void {
    const lens = this.#lens();
    if (!lens || !this.#params) return;
    const view = this.#params.view ?? viewOf(lens.camera, lens.camera.poses[0]!, lens.centre, lens.radius);
    const patch: Patch<RenderParams> = { view: roundedView(change(view)) };
    // Several moves may come before the page says what is ordered now.
    this.#params = { ...this.#params, ...patch } as RenderParams;
    this.#host.change(patch);
    this.#drawSoon();
  }

  /** Once for all that changes before the next frame; never while nobody can see it. */
  #drawSoon(): void {
    if (this.#drawing !== 0 || !this.#isSeen || this.#isLost || this.#ending.signal.aborted) return;
    this.#drawing =
      this.#host.canvas.ownerDocument.defaultView?.requestAnimationFrame(() => {
        this.#drawing = 0;
        this.#draw();
      }) ?? 0;
  }

  #draw(): void {
    const camera = this.#camera();
    const { canvas } = this.#host;
    if (!camera || this.#isLost) return;
    this.#renderer.setPixelRatio(Math.min(canvas.ownerDocument.defaultView?.devicePixelRatio ?? 1, PIXEL_RATIO_MAX));
    this.#renderer.setSize(canvas.clientWidth, canvas.clientHeight, false);
    this.#renderer.render(this.#scene, camera);
  }
}

function eachMaterial(root: Object3D, visit: (material: Material, mesh: Mesh) => void): void {
  root.traverse((object) => {
    if (object instanceof Mesh) for (const material of [object.material].flat()) if (material instanceof Material) visit(material, object);
  });
}

function texturesOf(root: Object3D): Set<Texture> {
  const found = new Set<Texture>();
  eachMaterial(root, (material) => {
    for (const value of Object.values(material)) if (value instanceof Texture) found.add(value);
  });
  return found;
}

function disposeAll(root: Object3D): void {
  for (const texture of texturesOf(root)) {
    texture.dispose();
    (texture.image as Partial<ImageBitmap> | null)?.close?.();
  }
  eachMaterial(root, (material, mesh) => {
    material.dispose();
    mesh.geometry.dispose();
  });
}
