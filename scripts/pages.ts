import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

export const root = join(import.meta.dirname, '..');

/** Everything that can change what a page is made of. */
const sources = ['client', 'shaders', 'shared', 'scripts/verify-receipt.mjs', 'vite.config.ts', 'package-lock.json'];
const stampPath = join(root, 'dist/.stamp');
const builtPage = join(root, 'dist/client/index.html');

function filesUnder(path: string): string[] {
  const entries = readdirSync(path, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** SHA-256 over the names and bytes of all page sources. */
export function sourceHash(base: string = root): string {
  const hash = createHash('sha256');
  const files = sources.flatMap((source) => (source.includes('.') ? [join(base, source)] : filesUnder(join(base, source))));
  for (const file of files.sort()) hash.update(`${relative(base, file)}\0`).update(createHash('sha256').update(readFileSync(file)).digest());
  return hash.digest('hex');
}

/** Builds the pages into dist/client unless nothing has changed since the last build. Returns whether it built. */
export async function buildPages(): Promise<boolean> {
  const hash = sourceHash();
  if (existsSync(builtPage) && existsSync(stampPath) && readFileSync(stampPath, 'utf8') === hash) return false;
  const { build } = await import('vite');
  await build({ configFile: join(root, 'vite.config.ts'), logLevel: 'warn' });
  mkdirSync(join(root, 'dist'), { recursive: true });
  writeFileSync(stampPath, hash);
  return true;
}
