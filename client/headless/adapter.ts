import { delimiter } from 'node:path';
import { requestDevice } from '../../shaders/common/device.ts';
import { findChromium } from './chromium.ts';
import type { AdapterChoice } from './options.ts';
import { unpackDriver } from './software-driver.ts';

/** How this machine is going to compute. */
export type Adapter =
  | { readonly kind: 'dawn'; readonly gpu: GPU; readonly name: string; readonly software: boolean }
  /** The dynamic linker reads LD_LIBRARY_PATH once, at the start of a process: another process has to do it. */
  | { readonly kind: 'restart'; readonly env: Readonly<Record<string, string>> }
  | { readonly kind: 'chromium'; readonly executablePath: string };

/**
 * Dawn's instances. Once one is garbage-collected, Dawn aborts the process at random ("The futex facility returned an
 * unexpected error code"; 9 of 12 runs died), so they stay referenced for its life.
 */
const instances: GPU[] = [];

/**
 * The first of these that works: a real GPU through Dawn, SwiftShader through Dawn, a headless Chromium. `choice` other
 * than `auto` allows one of them only. Throws with everything that was tried.
 */
export async function findAdapter(choice: AdapterChoice): Promise<Adapter> {
  const tried: string[] = [];
  if (choice !== 'chromium') {
    const adapter = await findDawn(choice, tried);
    if (adapter) return adapter;
  }
  if (choice === 'auto' || choice === 'chromium') {
    const executablePath = await findChromium();
    if (executablePath) return { kind: 'chromium', executablePath };
    tried.push('no Chromium: set CHROMIUM_PATH, or install one');
  }
  throw new Error(`This machine offers nothing to compute on (--adapter ${choice}). Tried: ${tried.join('; ')}.`);
}

async function findDawn(choice: AdapterChoice, tried: string[]): Promise<Adapter | null> {
  const create = await loadDawn();
  if (!create) {
    tried.push('the optional npm package webgpu is not installed');
    return null;
  }
  if (choice !== 'software') {
    const found = await probe(create);
    if (found && (choice === 'auto' || !found.software)) return { kind: 'dawn', ...found };
    tried.push(found ? `only a software adapter: ${found.name}` : 'no GPU that Dawn can use');
  }
  const driver = await unpackDriver();
  if (!driver) {
    tried.push('no software driver: the optional npm package @sparticuz/chromium is not installed or not for this platform');
    return null;
  }
  const paths = process.env.LD_LIBRARY_PATH?.split(delimiter).filter(Boolean) ?? [];
  if (!paths.includes(driver.folder)) return { kind: 'restart', env: { LD_LIBRARY_PATH: [...paths, driver.folder].join(delimiter) } };
  if (choice === 'gpu') return null;
  // Read by the loader whenever an instance is made; the first name is for loaders before 1.3.207.
  process.env.VK_ICD_FILENAMES = driver.manifest;
  process.env.VK_DRIVER_FILES = driver.manifest;
  const found = await probe(create);
  if (!found) tried.push('SwiftShader gave no adapter');
  return found && { kind: 'dawn', ...found };
}

type Create = (options: string[]) => GPU;

async function loadDawn(): Promise<Create | null> {
  try {
    const { create, globals } = await import('webgpu');
    // Kernels name GPUBufferUsage and the like, which browsers have as globals.
    Object.assign(globalThis, globals);
    return create;
  } catch {
    return null;
  }
}

async function probe(create: Create): Promise<{ gpu: GPU; name: string; software: boolean } | null> {
  const gpu = create([]);
  instances.push(gpu);
  try {
    const { adapter, device } = await requestDevice(gpu);
    device.destroy();
    // Libraries look there for whether there is a GPU at all.
    Object.defineProperty(navigator, 'gpu', { value: gpu, configurable: true });
    const { vendor, architecture, description, isFallbackAdapter: software } = adapter.info;
    const name = [vendor, architecture, description && `(${description})`].filter(Boolean).join(' ');
    return { gpu, name: `${name}, ${software ? 'in software, ' : ''}through Dawn in Node`, software };
  } catch {
    return null;
  }
}
