import { expect, it } from 'vitest';
import { choicesShowing, emptyFieldFor, extensions, type FormField, orderedParams, shownNames } from './form-fields.ts';

const fields: FormField[] = [
  { kind: 'choice', name: 'from', label: '' },
  { kind: 'integer', name: 'rows', label: '', when: { field: 'from', is: ['seeds', 'zeros'] } },
  { kind: 'choice', name: 'spread', label: '', when: { field: 'from', is: ['seeds'] } },
  { kind: 'number', name: 'width', label: '', when: { field: 'spread', is: ['even'] } },
  { kind: 'file', name: 'a', label: '', accept: '.npy', when: { field: 'from', is: ['files'] } },
];
const shown = (params: object): string => [...shownNames(fields, params as Record<string, unknown>)].join(' ');

it('a field is shown while its condition holds, and that of the field it is about', () => {
  expect(shown({ from: 'seeds', spread: 'even' })).toBe('from rows spread width');
  expect(shown({ from: 'seeds', spread: 'normal' })).toBe('from rows spread');
  expect(shown({ from: 'zeros', spread: 'even' })).toBe('from rows');
  expect(shown({ from: 'files' })).toBe('from a');
  expect(shown({})).toBe('from');
});

it('of what is hidden the default is ordered, and nothing where there is none', () => {
  const params = { from: 'files', rows: -1, spread: 'even', width: 3, other: 7 };
  expect(orderedParams(fields, params, { from: 'seeds', rows: 64, spread: 'normal' })).toEqual({ from: 'files', rows: 64, spread: 'normal', other: 7 });
  expect(orderedParams(fields, { ...params, from: 'seeds' }, { rows: 64 })).toEqual({ ...params, from: 'seeds' });
});

it('a field is shown by the choices that it hangs on', () => {
  expect(choicesShowing(fields, 'a', { from: 'seeds' })).toEqual({ from: 'files' });
  expect(choicesShowing(fields, 'width', { from: 'files', spread: 'even' })).toEqual({ from: 'seeds' });
  expect(choicesShowing(fields, 'width', { from: 'zeros', spread: 'normal' })).toEqual({ from: 'seeds', spread: 'even' });
  expect(choicesShowing(fields, 'rows', { from: 'zeros' })).toEqual({});
  expect(choicesShowing(fields, 'from', {})).toEqual({});
});

it('a file goes by its extension, not by a media type', () => {
  const files: FormField[] = [
    { kind: 'integer', name: 'width', label: '' },
    { kind: 'file', name: 'model', label: '', accept: '.glb,model/gltf-binary' },
    { kind: 'file', name: 'weights', label: '', accept: '.onnx, .bin' },
  ];
  expect(extensions('.glb,model/gltf-binary')).toEqual(['.glb']);
  expect(emptyFieldFor(files, 'Kitchen.v2.GLB', new Set(), {})).toBe('model');
  expect(emptyFieldFor(files, 'net.bin', new Set(), {})).toBe('weights');
  expect(emptyFieldFor(files, 'net.bin', new Set(['weights']), {})).toBeUndefined();
  expect(emptyFieldFor(files, 'photo.jpg', new Set(), {})).toBeUndefined();
});
