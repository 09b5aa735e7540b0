import { expect, it } from 'vitest';
import { limits } from '../../shared/limits.ts';
import type { Field } from '../../shared/workload.ts';
import { acceptedWords, sortDropped } from './dropping.ts';

const fields: Field[] = [
  { kind: 'integer', name: 'width', label: 'Width', help: '' },
  { kind: 'file', name: 'model', label: 'glTF file', help: '', accept: '.glb,model/gltf-binary', required: true },
  { kind: 'file', name: 'environment', label: 'Environment map', help: '', accept: '.hdr', required: false },
];
const file = (name: string, size = 3): File => Object.defineProperty(new File(['abc'], name), 'size', { value: size });
const namesOf = (taken: ReadonlyMap<string, File>): object => Object.fromEntries([...taken].map(([field, { name }]) => [field, name]));

it('each file goes to the field that takes it', () => {
  const { taken, refused } = sortDropped(fields, [file('dusk.hdr'), file('Kitchen.GLB')]);
  expect(namesOf(taken)).toEqual({ environment: 'dusk.hdr', model: 'Kitchen.GLB' });
  expect(refused).toEqual([]);
});

it('a wrong one is told what is accepted, and by which field', () => {
  const { taken, refused } = sortDropped(fields, [file('photo.jpg'), file('a.glb')]);
  expect(namesOf(taken)).toEqual({ model: 'a.glb' });
  expect(refused).toEqual(['\u2068photo.jpg\u2069 cannot be used here. Accepted: .glb (glTF file), .hdr (Environment map).']);
  expect(acceptedWords(fields)).toBe('.glb (glTF file), .hdr (Environment map)');
});

it('of two of a kind the first is taken', () => {
  const { taken, refused } = sortDropped(fields, [file('a.glb'), file('b.glb')]);
  expect(namesOf(taken)).toEqual({ model: 'a.glb' });
  expect(refused).toEqual(['One file of a kind at a time: \u2068a.glb\u2069 was taken, \u2068b.glb\u2069 was not.']);
});

it('empty files, folders and files that are too large are not taken', () => {
  const { taken, refused } = sortDropped(fields, [file('a.glb', 0), file('sky.hdr', limits.uploadBytesMax + 1)]);
  expect(taken.size).toBe(0);
  expect(refused).toEqual(['\u2068a.glb\u2069 is empty, or a folder.', '\u2068sky.hdr\u2069 has 64.0 MiB. Accepted: at most 64 MiB.']);
  expect(sortDropped(fields, [file('a.glb', limits.uploadBytesMax)]).taken.size).toBe(1);
});

it('a name that would turn the sentence around is isolated in it', () => {
  const [sentence] = sortDropped(fields, [file('\u202Egpj.exe')]).refused;
  expect(sentence).toMatch(/^\u2068gpj\.exe\u2069 cannot/);
});
