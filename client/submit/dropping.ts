import { limits, MIB } from '../../shared/limits.ts';
import type { Field } from '../../shared/workload.ts';
import { bytes } from '../ui/format.ts';
import { shownName } from './naming.ts';
import { extensions, fileFieldFor } from './validation.ts';

type FileField = Extract<Field, { kind: 'file' }>;

export interface Dropped {
  /** By the field that takes them. */
  readonly taken: ReadonlyMap<string, File>;
  /** Why others are not, a sentence each. */
  readonly refused: readonly string[];
}

export const fileFields = (fields: readonly Field[]): FileField[] => fields.filter((field) => field.kind === 'file');

/** What can be dropped: `.glb (glTF file), .hdr (Environment map)`. */
export const acceptedWords = (fields: readonly Field[]): string =>
  fileFields(fields)
    .map(({ accept, label }) => `${extensions(accept).join(', ')} (${label})`)
    .join(', ');

/** Sorts files into the fields that take them. */
export function sortDropped(fields: readonly Field[], files: Iterable<File>): Dropped {
  const taken = new Map<string, File>();
  const refused: string[] = [];
  for (const file of files) {
    const name = shownName(file.name);
    const field = fileFieldFor(fields, file.name);
    const first = field === undefined ? undefined : taken.get(field);
    if (field === undefined) refused.push(`\u2068${name}\u2069 cannot be used here. Accepted: ${acceptedWords(fields)}.`);
    else if (first) refused.push(`One file of a kind at a time: \u2068${shownName(first.name)}\u2069 was taken, \u2068${name}\u2069 was not.`);
    else if (file.size === 0) refused.push(`\u2068${name}\u2069 is empty, or a folder.`);
    else if (file.size > limits.uploadBytesMax)
      refused.push(`\u2068${name}\u2069 has ${bytes(file.size)}. Accepted: at most ${limits.uploadBytesMax / MIB} MiB.`);
    else taken.set(field, file);
  }
  return { taken, refused };
}
