import { afterEach, expect, test } from 'vitest';
import type { Preview } from '../../shared/preview.ts';
import { TestModel } from './glb.testing.ts';
import { defaults, type RenderParams, type View } from './params.ts';
import { open } from './preview.ts';

/** The preview face on a real WebGL, with a file as somebody would drop it. */

const [WIDTH, HEIGHT] = [320, 240];
const RED = [1, 0, 0, 1] as [number, number, number, number];

async function checkerboard(): Promise<Uint8Array> {
  const canvas = new OffscreenCanvas(8, 8);
  const context = canvas.getContext('2d')!;
  for (let at = 0; at < 64; at++) {
    context.fillStyle = (at + (at >> 3)) % 2 === 0 ? '#ffffff' : '#0040ff';
    context.fillRect(at % 8, at >> 3, 1, 1);
  }
  return new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer());
}

/** A chequered square in the plane z = 0, a red one behind it that moves to the right, and two cameras. */
async function scene(): Promise<File> {
  const model = new TestModel();
  const square = (z: number): Float32Array => Float32Array.of(-1, -1, z, 1, -1, z, 1, 1, z, -1, -1, z, 1, 1, z, -1, 1, z);
  const uv = model.accessor(Float32Array.of(0, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0), 'VEC2');
  model.json.images = [{ bufferView: model.view(await checkerboard()) }];
  model.json.textures = [{ source: 0 }];
  model.json.materials = [
    { pbrMetallicRoughness: { baseColorTexture: { index: 0 }, metallicFactor: 0 }, doubleSided: true },
    { pbrMetallicRoughness: { baseColorFactor: RED, metallicFactor: 0 }, doubleSided: true },
  ];
  model.node({ mesh: model.mesh({ attributes: { POSITION: model.accessor(square(0), 'VEC3'), TEXCOORD_0: uv }, material: 0 }) });
  const mover = model.node({ mesh: model.mesh({ attributes: { POSITION: model.accessor(square(-1), 'VEC3') }, material: 1 }) });
  model.json.cameras = [
    { name: 'Front', type: 'perspective', perspective: { yfov: 1 } },
    { type: 'orthographic', orthographic: { ymag: 3 } },
  ];
  model.node({ camera: 0, translation: [0, 0, 4] });
  model.node({ camera: 1, name: 'From afar', translation: [0, 0, 9] });
  const samplers = [{ input: model.accessor(Float32Array.of(0, 2), 'SCALAR'), output: model.accessor(Float32Array.of(0, 0, 0, 2.5, 0, 0), 'VEC3') }];
  model.json.animations = [{ channels: [{ sampler: 0, target: { node: mover, path: 'translation' } }], samplers }];
  return new File([model.bytes()], 'scene.glb');
}

const params: RenderParams = { ...defaults, width: 640, height: 480, lighting: 'sky' };

const patched = (patch: object): RenderParams =>
  Object.fromEntries(Object.entries({ ...ordered, ...patch }).filter(([, value]) => value !== undefined)) as RenderParams;

let canvas: HTMLCanvasElement;
let preview: Preview<RenderParams> | null = null;
let ordered: RenderParams = params;
const losses: boolean[] = [];

async function drop(files: Record<string, Blob>, order: RenderParams = params): Promise<Preview<RenderParams>> {
  canvas = document.createElement('canvas');
  canvas.tabIndex = 0;
  Object.assign(canvas.style, { width: `${WIDTH}px`, height: `${HEIGHT}px`, display: 'block' });
  document.body.append(canvas);
  ordered = order;
  const host = {
    canvas,
    change(patch: object) {
      ordered = patched(patch);
      preview?.show(ordered, 0);
    },
    lost: (isLost: boolean) => void losses.push(isLost),
  };
  preview = await open(host, files, order, new AbortController().signal);
  return preview;
}

afterEach(() => {
  preview?.close();
  preview = null;
  canvas.remove();
  losses.length = 0;
});

const nextFrame = (): Promise<void> => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve())));

/** RGBA, rows from the top, of what the page shows. */
async function pixels(): Promise<Uint8ClampedArray> {
  await nextFrame();
  const copy = new OffscreenCanvas(WIDTH, HEIGHT).getContext('2d')!;
  copy.drawImage(canvas, 0, 0, WIDTH, HEIGHT);
  return copy.getImageData(0, 0, WIDTH, HEIGHT).data;
}
const at = (data: Uint8ClampedArray, x: number, y: number): number[] => [...data.subarray((y * WIDTH + x) * 4, (y * WIDTH + x) * 4 + 3)];
const coloursOf = (data: Uint8ClampedArray): number =>
  new Set(Array.from({ length: data.length / 4 }, (_, i) => at(data, i % WIDTH, Math.floor(i / WIDTH)).join())).size;
const isRed = ([r = 0, g = 0]: number[]): boolean => r > 80 && g < r / 2;
const isBlue = ([r = 0, , b = 0]: number[]): boolean => b > r + 60;
const share = (data: Uint8ClampedArray, test: (rgb: number[]) => boolean): number => {
  let found = 0;
  for (let i = 0; i < data.length / 4; i++) if (test(at(data, i % WIDTH, Math.floor(i / WIDTH)))) found++;
  return found / (data.length / 4);
};
const press = (key: string, shiftKey = false): void =>
  void canvas.dispatchEvent(new KeyboardEvent('keydown', { key, shiftKey, bubbles: true, cancelable: true }));

test('a dropped file is seen, with its texture, cameras and motion; hands move it, and closing gives everything back', async () => {
  const started = performance.now();
  const shown = await drop({ model: await scene() });
  console.log(`preview: ${Math.round(performance.now() - started)} ms from the file to the first picture`);
  expect(shown.facts).toEqual({ triangles: 4, cameras: 2, animationSeconds: 2 });
  expect(shown.viewpoints.map(({ label }) => label)).toEqual(['Front', 'From afar']);
  expect(shown.viewpointOf(params)).toBe(0);
  expect(shown.timeline(params)).toEqual({ frames: 49, seconds: 2 });

  const first = await pixels();
  expect(coloursOf(first)).toBeGreaterThan(5);
  // A white sky around, white and blue in front, and the red square hidden behind.
  expect(Math.min(...at(first, 4, 4))).toBeGreaterThan(240);
  expect(share(first, isBlue)).toBeGreaterThan(0.03);
  expect(share(first, isRed)).toBe(0);

  for (let times = 0; times < 6; times++) press('ArrowRight');
  const turned = await pixels();
  expect(ordered.view).toMatchObject({ target: [0, 0, expect.any(Number)], fieldOfViewDegrees: expect.closeTo(57.3, 1) });
  expect(ordered.view!.position[0]).toBeGreaterThan(0.5);
  expect(share(turned, isRed)).toBeGreaterThan(0.005);
  expect(shown.viewpointOf(ordered)).toBe(null);
  press('+');
  expect(Math.hypot(...(ordered.view as View).position.map((value, axis) => value - ordered.view!.target[axis]!))).toBeCloseTo(4.5 / 1.1, 5);
  press('Home');
  expect(ordered.view).toBeUndefined();
  expect(await pixels()).toEqual(first);

  shown.show(params, 48);
  expect(share(await pixels(), isRed)).toBeGreaterThan(0.05);
  ordered = params;
  shown.show(patched(shown.viewpoints[1]!.params), 0);
  expect(share(await pixels(), isBlue)).not.toBeCloseTo(share(first, isBlue), 2);
  // A stop less is half the light.
  shown.show({ ...params, exposure: -1 }, 0);
  expect(at(await pixels(), 4, 4)[0]).toBeCloseTo(188, -1);

  const gl = canvas.getContext('webgl2')!;
  expect(gl.isContextLost()).toBe(false);
  shown.close();
  expect(gl.isContextLost()).toBe(true);
  expect(losses).toEqual([]);
});

test('drags turn, with the right button they move; nothing is drawn while nothing changes', async () => {
  await drop({ model: await scene() });
  await nextFrame();
  const gl = canvas.getContext('webgl2')!;
  let draws = 0;
  const drawArrays = gl.drawArrays.bind(gl);
  gl.drawArrays = (...call) => {
    draws++;
    drawArrays(...call);
  };
  await nextFrame();
  await nextFrame();
  expect(draws).toBe(0);
  const drag = async (buttons: number, dx: number): Promise<void> => {
    const event = (type: string, x: number) => new PointerEvent(type, { pointerId: 1, clientX: x, clientY: 50, buttons, bubbles: true, cancelable: true });
    Object.assign(canvas, { setPointerCapture: () => undefined });
    for (const [type, x] of [
      ['pointerdown', 50],
      ['pointermove', 50 + dx],
      ['pointerup', 50 + dx],
    ] as const)
      canvas.dispatchEvent(event(type, x));
    await nextFrame();
  };
  await drag(1, -40);
  expect(draws).toBeGreaterThan(0);
  const { position, target } = ordered.view!;
  expect(position[0]).toBeGreaterThan(1);
  expect(target[0]).toBeCloseTo(0, 6);
  await drag(2, -40);
  expect(ordered.view!.target[0]).toBeGreaterThan(0.1);
});

test('a lost context comes back, and the picture with it', async () => {
  await drop({ model: await scene() });
  const before = await pixels();
  const extension = canvas.getContext('webgl2')!.getExtension('WEBGL_lose_context')!;
  extension.loseContext();
  await expect.poll(() => losses).toEqual([true]);
  extension.restoreContext();
  await expect.poll(() => losses).toEqual([true, false]);
  expect(await pixels()).toEqual(before);
});

test('the middle of an environment map is north of the scene, and turns with the sky', async () => {
  const [width, height] = [64, 32];
  const header = new TextEncoder().encode(`#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y ${height} +X ${width}\n`);
  const rgbe = new Uint8Array(width * height * 4);
  // A column of red, as wide as a camera of 40 degrees sees, in the middle; dark blue elsewhere.
  for (let i = 0; i < width * height; i++) rgbe.set(Math.abs((i % width) - 31.5) < 4 ? [128, 0, 0, 129] : [0, 0, 64, 128], i * 4);
  const environment = new File([header, rgbe], 'studio.hdr');
  const north: RenderParams = { ...params, view: { position: [0, 5, 5], target: [0, 5, 0], fieldOfViewDegrees: 40 } };
  const east: RenderParams = { ...params, view: { position: [0, 5, 5], target: [5, 5, 5], fieldOfViewDegrees: 40 } };
  const shown = await drop({ model: await scene(), environment }, north);
  const middle = async (order: RenderParams): Promise<boolean> => {
    shown.show(order, 0);
    return isRed(at(await pixels(), WIDTH / 2, HEIGHT / 2));
  };
  expect(await middle(north)).toBe(true);
  expect(await middle(east)).toBe(false);
  // Counter-clockwise seen from above, as environment.ts turns it: what was north is west then, and what was east north.
  expect(await middle({ ...north, skyRotation: 90 })).toBe(false);
  expect(await middle({ ...east, skyRotation: 270 })).toBe(true);
});

test('the built-in scene needs no file', async () => {
  const shown = await drop({}, { ...params, scene: 'cornell', lighting: 'auto' });
  expect(shown.facts).toMatchObject({ triangles: 32 });
  const data = await pixels();
  expect(coloursOf(data)).toBeGreaterThan(100);
  expect(share(data, ([r = 0, g = 0]) => r > 2 * g && r > 40)).toBeGreaterThan(0.02);
});

test.each([
  ['text', new Blob(['no scene']), 'This is not a binary glTF file'],
  ['a file that was cut off', null, 'The GLB header announces'],
])('%s is refused as the coordinator refuses it, and nothing is left', async (_, bytes, message) => {
  const whole = await scene();
  await expect(drop({ model: bytes ?? whole.slice(0, 200) })).rejects.toMatchObject({
    name: 'InputError',
    field: 'model',
    message: expect.stringContaining(message),
  });
  expect(canvas.getContext('webgl2')!.isContextLost()).toBe(true);
});

test('no file is asked for; an environment map that is none is refused', async () => {
  await expect(drop({})).rejects.toMatchObject({ name: 'InputError', field: 'model' });
  await expect(drop({ model: await scene(), environment: new Blob(['no map']) })).rejects.toMatchObject({ name: 'InputError', field: 'environment' });
});
