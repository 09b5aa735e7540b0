import { limits, MIB } from '../../shared/limits.ts';
import type { Field } from '../../shared/workload.ts';
import { emptyFieldFor, extensions, shownNames, takes } from '../ui/form-fields.ts';
import { bytes } from '../ui/format.ts';
import { shownName } from '../ui/names.ts';

export type FileField = Extract<Field, { kind: 'file' }>;
type Params = Readonly<Record<string, unknown>>;

export interface Dropped {
  /** By the field that takes them. */
  readonly taken: ReadonlyMap<string, File>;
  /** Why others are not, a sentence each. */
  readonly refused: readonly string[];
  /** Those of them that no field takes. */
  readonly strangers: readonly File[];
}

export const fileFields = (fields: readonly Field[]): FileField[] => fields.filter((field) => field.kind === 'file');

/** Whether browsers draw it, by its name: not every system knows types. */
export const isDrawn = ({ name }: File): boolean => /\.(png|jpe?g|webp|avif)$/i.test(name);

/** Files without which there is nothing to order, as the form stands. */
export function neededFiles(fields: readonly Field[], params: Params): FileField[] {
  const shown = shownNames(fields, params);
  return fileFields(fields).filter(({ name, required }) => required && shown.has(name));
}

/** Of all files that can go with an order, each once. */
export const fileExtensions = (fields: readonly Field[]): string[] => [...new Set(fileFields(fields).flatMap(({ accept }) => extensions(accept)))];

/** What can be dropped: `.glb (glTF file), .npy (Matrix A, Matrix B)`. */
export function acceptedWords(fields: readonly Field[]): string {
  const labels = new Map<string, string[]>();
  for (const { accept, label } of fileFields(fields)) {
    const kind = extensions(accept).join(', ');
    labels.set(kind, [...(labels.get(kind) ?? []), label]);
  }
  return [...labels].map(([kind, of]) => `${kind} (${of.join(', ')})`).join(', ');
}

const either = (words: readonly string[]): string => (words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`);
/** The article of an extension as it is read: a .glb, an .onnx. */
const withArticle = (extension: string): string => `${/^\.[aeio]/.test(extension) ? 'an' : 'a'} ${extension}`;

/** What most would begin with: `a .glb`, `an .onnx and a .png or .jpg`; empty for a form without files. */
export function subjectWords(fields: readonly Field[], params: Params): string {
  const needed = neededFiles(fields, params);
  const subjects = needed.length > 0 ? needed : fileFields(fields).slice(0, 1);
  const kinds = new Set(subjects.map(({ accept }) => extensions(accept).join(',')));
  return [...kinds]
    .map((kind) => kind.split(',').slice(0, 3))
    .map(([first = '', ...others]) => either([withArticle(first), ...others]))
    .join(' and ');
}

/** Whether any field takes a file of this name. */
export const isTaken = (fields: readonly Field[], { name }: File): boolean => fields.some((field) => takes(field, name));

/** Sorts files into the fields that take them: empty ones first, else in place of what is there. `filled`: fields that have a file already. */
export function sortDropped(fields: readonly Field[], files: Iterable<File>, filled: ReadonlySet<string>, params: Params): Dropped {
  const taken = new Map<string, File>();
  const refused: string[] = [];
  const strangers: File[] = [];
  for (const file of files) {
    const name = shownName(file.name);
    const now = new Set(taken.keys());
    const occupied = new Set([...filled, ...now]);
    const isOfUse = isTaken(fields, file);
    if (!isOfUse) strangers.push(file);
    const field = emptyFieldFor(fields, file.name, occupied, params) ?? emptyFieldFor(fields, file.name, now, params);
    if (!isOfUse) refused.push(`\u2068${name}\u2069 cannot be used here. Accepted: ${acceptedWords(fields)}.`);
    else if (file.size === 0) refused.push(`\u2068${name}\u2069 is empty, or a folder.`);
    else if (file.size > limits.uploadBytesMax)
      refused.push(`\u2068${name}\u2069 has ${bytes(file.size)}. Accepted: at most ${limits.uploadBytesMax / MIB} MiB.`);
    else if (field === undefined) refused.push(`\u2068${name}\u2069 was not taken: there are files in all places for its kind.`);
    else taken.set(field, file);
  }
  return { taken, refused, strangers };
}
