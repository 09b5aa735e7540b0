import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { JobFile, JobId, Tessera } from '../sdk/index.ts';
import { UsageError } from './options.ts';

/** The output that a file of this name is, by its ending, or the one that is named. Throws `UsageError`. */
export function outputFor(files: readonly JobFile[], path: string, id?: string): JobFile {
  const listed = files.map(({ output, extension, title }) => `${output} (.${extension}, ${title})`).join(', ');
  if (id !== undefined) {
    const named = files.find(({ output }) => output === id);
    if (!named) throw new UsageError(`--output is one of ${listed}, not ${id}`);
    return named;
  }
  // Endings may end alike: the longest that fits is meant.
  const fitting = files.filter(({ extension }) => path.toLowerCase().endsWith(`.${extension}`)).sort((a, b) => b.extension.length - a.extension.length);
  const [best] = fitting;
  if (!best) throw new UsageError(`No file of this job ends like ${path}. It has ${listed}.`);
  return best;
}

/** Writes it beside its place, whose folder it makes, and then moves it there: a file of that name is whole. */
export async function saveOutput(tessera: Tessera, job: JobId, output: string, path: string): Promise<void> {
  const partial = `${path}.part`;
  await mkdir(dirname(path), { recursive: true });
  try {
    await pipeline(await tessera.download(job, output), createWriteStream(partial));
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
