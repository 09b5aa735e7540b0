import { limits, MIB } from '../../shared/limits.ts';

/** How much a job may make this browser download: chosen by its owner, and remembered. */
const KEY = 'tessera.downloadBytesMax';

const MIBS = [64, 256, 1024, 4096];
const named = (mib: number): string => (mib < 1024 || mib % 1024 !== 0 ? `${mib} MiB` : `${mib / 1024} GiB`);

/** What can be chosen, in bytes, and what was chosen elsewhere. */
export const capChoices = (chosen: number): { readonly bytes: number; readonly label: string }[] =>
  [...new Set([...MIBS.map((mib) => mib * MIB), chosen])].sort((a, b) => a - b).map((bytes) => ({ bytes, label: named(Math.round(bytes / MIB)) }));

const isCap = (bytes: number): boolean => Number.isInteger(bytes) && bytes >= limits.downloadBytesMin && bytes <= limits.downloadBytesMax;

export function rememberedCap(): number {
  try {
    const bytes = Number(localStorage.getItem(KEY) ?? Number.NaN);
    if (isCap(bytes)) return bytes;
  } catch {
    // Storage is switched off: the default holds, and a choice for as long as the page is open.
  }
  return limits.downloadBytesDefault;
}

export function rememberCap(bytes: number): void {
  try {
    localStorage.setItem(KEY, String(bytes));
  } catch {
    // As above.
  }
}
