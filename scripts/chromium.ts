import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { chromium } from 'playwright';

/**
 * Gives headless Chromium a WebGPU adapter on a machine without a GPU: SwiftShader, Chromium's own software Vulkan.
 * The three Vulkan lines keep a page alive that configures a WebGPU canvas; without them Chromium 156 crashes with
 * "external Instance reference no longer exists". The rest keeps the browser from calling home during tests.
 */
export const softwareGpuFlags: readonly string[] = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--use-angle=vulkan',
  '--use-vulkan=swiftshader',
  '--enable-features=Vulkan',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const systemPaths = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/usr/bin/google-chrome-stable'];

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The Chromium to test with: `CHROMIUM_PATH`, else the one Playwright downloaded, else the system's. Throws when `CHROMIUM_PATH` names no program. */
export function findChromium(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const named = env.CHROMIUM_PATH;
  if (named) {
    if (isExecutable(named)) return named;
    throw new Error(`CHROMIUM_PATH names no executable file: ${named}`);
  }
  return [chromium.executablePath(), ...systemPaths].find(isExecutable);
}

/** Runs a command with its output shown; true when it exits 0. */
function succeeds(command: string, args: readonly string[]): boolean {
  console.log(`> ${command} ${args.join(' ')}`);
  return spawnSync(command, args, { stdio: 'inherit' }).status === 0;
}

export interface Installer {
  readonly find: () => string | undefined;
  /** Runs a command, true when it succeeded. */
  readonly run: (command: string, args: readonly string[]) => boolean;
  readonly isRoot: boolean;
  readonly hasApt: boolean;
}

const thisMachine: Installer = { find: findChromium, run: succeeds, isRoot: process.getuid?.() === 0, hasApt: isExecutable('/usr/bin/apt-get') };

/** Finds a Chromium, or installs one: Playwright's download, else, on Debian as root, the package. Throws with what to do where neither works. */
export function ensureChromium({ find, run, isRoot, hasApt }: Installer = thisMachine): string {
  const found = find();
  if (found) return found;
  console.log('No Chromium found; installing one for the browser tests.');
  // Only root may install the system libraries that a bare machine lacks.
  run('npx', ['playwright', 'install', ...(isRoot ? ['--with-deps'] : []), 'chromium']);
  const downloaded = find();
  if (downloaded) return downloaded;
  if (isRoot && hasApt && run('apt-get', ['update'])) run('apt-get', ['install', '-y', '--no-install-recommends', 'chromium']);
  const packaged = find();
  if (packaged) return packaged;
  throw new Error(
    'The browser tests need a recent Chromium. Run `npx playwright install --with-deps chromium`, or install your system’s chromium package, or set CHROMIUM_PATH to one.',
  );
}
