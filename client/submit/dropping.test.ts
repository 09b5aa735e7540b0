import { expect, it } from 'vitest';
import { limits } from '../../shared/limits.ts';
import type { Field } from '../../shared/workload.ts';
import { acceptedWords, neededFiles, sortDropped as sort, subjectWords } from './dropping.ts';

const fields: Field[] = [
  { kind: 'integer', name: 'width', label: 'Width', help: '' },
  { kind: 'file', name: 'model', label: 'glTF file', help: '', accept: '.glb,model/gltf-binary', required: true },
  { kind: 'file', name: 'environment', label: 'Environment map', help: '', accept: '.hdr', required: false },
];
const file = (name: string, size = 3): File => Object.defineProperty(new File(['abc'], name), 'size', { value: size });
const sortDropped = (fields: readonly Field[], files: Iterable<File>, filled: readonly string[] = [], params = {}) =>
  sort(fields, files, new Set(filled), params);
const namesOf = (taken: ReadonlyMap<string, File>): object => Object.fromEntries([...taken].map(([field, { name }]) => [field, name]));

it('each file goes to the field that takes it', () => {
  const { taken, refused } = sortDropped(fields, [file('dusk.hdr'), file('Kitchen.GLB')]);
  expect(namesOf(taken)).toEqual({ environment: 'dusk.hdr', model: 'Kitchen.GLB' });
  expect(refused).toEqual([]);
});

it('a wrong one is told what is accepted, and by which field', () => {
  const { taken, refused, strangers } = sortDropped(fields, [file('photo.jpg'), file('a.glb')]);
  expect(namesOf(taken)).toEqual({ model: 'a.glb' });
  expect(refused).toEqual(['\u2068photo.jpg\u2069 cannot be used here. Accepted: .glb (glTF file), .hdr (Environment map).']);
  expect(strangers.map(({ name }) => name)).toEqual(['photo.jpg']);
  expect(acceptedWords(fields)).toBe('.glb (glTF file), .hdr (Environment map)');
});

it('of two of a kind the first is taken; the next one takes its place', () => {
  const { taken, refused } = sortDropped(fields, [file('a.glb'), file('b.glb')]);
  expect(namesOf(taken)).toEqual({ model: 'a.glb' });
  expect(refused).toEqual(['\u2068b.glb\u2069 was not taken: there are files in all places for its kind.']);
  expect(namesOf(sortDropped(fields, [file('b.glb')], ['model']).taken)).toEqual({ model: 'b.glb' });
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

const pair: Field[] = [
  { kind: 'choice', name: 'from', label: 'From', help: '', options: [] },
  { kind: 'file', name: 'a', label: 'Matrix A', help: '', accept: '.npy', required: true, when: { field: 'from', is: ['files'] } },
  { kind: 'file', name: 'b', label: 'Matrix B', help: '', accept: '.npy,.csv', required: true, when: { field: 'from', is: ['files'] } },
];

it('fields that take the same are filled in their order, empty ones first', () => {
  expect(namesOf(sortDropped(pair, [file('x.npy'), file('y.npy')]).taken)).toEqual({ a: 'x.npy', b: 'y.npy' });
  expect(namesOf(sortDropped(pair, [file('y.npy')], ['a']).taken)).toEqual({ b: 'y.npy' });
  expect(namesOf(sortDropped(pair, [file('y.npy')], ['b']).taken)).toEqual({ a: 'y.npy' });
  expect(namesOf(sortDropped(pair, [file('x.csv'), file('y.npy')]).taken)).toEqual({ b: 'x.csv', a: 'y.npy' });
  // All have one: they are taken the place of in their order.
  expect(namesOf(sortDropped(pair, [file('z.npy')], ['a', 'b']).taken)).toEqual({ a: 'z.npy' });
  expect(sortDropped(pair, [file('1.npy'), file('2.npy'), file('3.npy')]).refused).toHaveLength(1);
});

it('what is hidden takes a file where nothing that is shown does', () => {
  const other: Field = { kind: 'file', name: 'plain', label: '', help: '', accept: '.npy', required: false };
  expect(namesOf(sortDropped([...pair, other], [file('x.npy'), file('y.npy')], [], { from: 'seeds' }).taken)).toEqual({ plain: 'x.npy', a: 'y.npy' });
});

it('files are needed while their fields are shown', () => {
  expect(neededFiles(pair, { from: 'seeds' })).toEqual([]);
  expect(neededFiles(pair, { from: 'files' }).map(({ name }) => name)).toEqual(['a', 'b']);
});

it('what can be dropped is said once for fields that take the same', () => {
  expect(acceptedWords([...pair, { ...pair[1], name: 'c', label: 'Matrix C' } as Field])).toBe('.npy (Matrix A, Matrix C), .npy, .csv (Matrix B)');
});

it('what to begin with is said in words', () => {
  expect(subjectWords(fields, {})).toBe('a .glb');
  expect(subjectWords(pair, { from: 'seeds' })).toBe('a .npy');
  expect(subjectWords(pair, { from: 'files' })).toBe('a .npy and a .npy or .csv');
  const net: Field[] = [
    { kind: 'file', name: 'net', label: '', help: '', accept: '.onnx', required: true },
    { kind: 'file', name: 'images', label: '', help: '', accept: '.png,.jpg,.webp,.zip', required: true },
  ];
  expect(subjectWords(net, {})).toBe('an .onnx and a .png, .jpg or .webp');
  expect(subjectWords([], {})).toBe('');
});
