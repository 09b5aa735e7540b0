import { expect, test } from 'vitest';
import type { WorkloadView } from '../sdk/index.ts';
import { outputFor } from './download.ts';
import { type Arguments, readArguments, UsageError } from './options.ts';
import { readOrder } from './order.ts';

const workloads: readonly WorkloadView[] = [
  {
    id: 'paint',
    version: 1,
    title: 'Paint',
    summary: '',
    defaults: { width: 100, light: 'sun', exposure: 0 },
    params: {},
    fields: [
      { kind: 'file', name: 'model', label: '', help: '', accept: '.glb,model/gltf-binary', required: true },
      { kind: 'file', name: 'sky', label: '', help: '', accept: '.hdr', required: false },
      { kind: 'integer', name: 'width', label: '', help: '' },
      { kind: 'number', name: 'exposure', label: '', help: '' },
      {
        kind: 'choice',
        name: 'light',
        label: '',
        help: '',
        options: [
          { value: 'sun', label: '' },
          { value: 'none', label: '' },
        ],
      },
    ],
  },
  {
    id: 'multiply',
    version: 1,
    title: 'Multiply',
    summary: '',
    defaults: { from: 'seeds', rows: 64 },
    params: {},
    fields: [
      {
        kind: 'choice',
        name: 'from',
        label: '',
        help: '',
        options: [
          { value: 'seeds', label: '' },
          { value: 'files', label: '' },
        ],
      },
      { kind: 'file', name: 'a', label: '', help: '', accept: '.npy', required: true, when: { field: 'from', is: ['files'] } },
      { kind: 'file', name: 'b', label: '', help: '', accept: '.npy', required: true, when: { field: 'from', is: ['files'] } },
      { kind: 'integer', name: 'rows', label: '', help: '', when: { field: 'from', is: ['seeds'] } },
      { kind: 'integer', name: 'seed', label: '', help: '', when: { field: 'from', is: ['seeds'] } },
    ],
  },
  {
    id: 'sharpen',
    version: 1,
    title: 'Sharpen',
    summary: '',
    defaults: {},
    params: {},
    fields: [{ kind: 'file', name: 'picture', label: '', help: '', accept: '.png,.hdr', required: true }],
  },
];

const read = (line: string): Arguments => readArguments(line.split(' ')) as Arguments;
const order = (line: string) => readOrder(read(line), workloads);

test('options of the job are named like its fields, wherever they stand', () => {
  const { workload, params, files, title, visibility } = order('submit --width 1920 a/My_scene.glb --exposure -1.5 --light none --wait');
  expect(workload.id).toBe('paint');
  expect(params).toEqual({ width: 1920, exposure: -1.5, light: 'none' });
  expect(files).toEqual({ model: 'a/My_scene.glb' });
  expect([title, visibility]).toEqual(['My_scene', 'unlisted']);
});

test('files go where their ending belongs, and decide on the kind of job', () => {
  expect(order('submit x.hdr y.GLB').files).toEqual({ sky: 'x.hdr', model: 'y.GLB' });
  expect(order('quote m.npy').workload.id).toBe('multiply');
  expect(order('submit --sky dusk.hdr y.glb').files).toEqual({ model: 'y.glb', sky: 'dusk.hdr' });
  expect(order('submit --workload paint').files).toEqual({});
  expect(order('submit --workload sharpen x.hdr').files).toEqual({ picture: 'x.hdr' });
});

test('fields that take the same are filled in their order, and a file says that files are to be used', () => {
  expect(order('submit x.npy y.npy')).toMatchObject({ files: { a: 'x.npy', b: 'y.npy' }, params: { from: 'files' } });
  expect(order('submit y.npy --file a=x.npy').files).toEqual({ a: 'x.npy', b: 'y.npy' });
  expect(order('submit --workload multiply --file b=y').files).toEqual({ b: 'y' });
  expect(order('submit --workload multiply --rows 128')).toMatchObject({ files: {}, params: { from: 'seeds', rows: 128 }, title: 'Multiply' });
});

test('parameters by their names, also such as are named like an option', () => {
  const made = order('submit --workload multiply --param rows=128 --param seed=9 --seed 7 --param deep={"x":1} --param word=a=b');
  expect(made.params).toEqual({ from: 'seeds', rows: 128, seed: 9, deep: { x: 1 }, word: 'a=b' });
  expect(made.seed).toBe(7);
  expect(order('submit --workload multiply --seed 7').params).toEqual({ from: 'seeds', rows: 64 });
});

test('amounts, shares and JSON', () => {
  const made = order('submit y.glb --max-price 1.5 --certainty 1e-5 --seed 7 --params {"view":{"x":1}} --visibility private');
  expect(made.priceMax).toBe(1_500_000n);
  expect(made.targetError).toBe(1e-5);
  expect(made.seed).toBe(7);
  expect(made.params).toMatchObject({ width: 100, view: { x: 1 } });
  expect(made.visibility).toBe('private');
});

test.each([
  ['submit y.glb --depth 3', /depth/],
  ['submit y.glb --width many', /--width is a number/],
  ['submit y.glb --light moon', /--light is one of sun, none/],
  ['submit y.glb z.glb', /more files of a kind than paint can use/],
  ['submit --workload paint y.glb z.glb', /z.glb cannot be used by paint, or there are more/],
  ['submit x.hdr', /x.hdr can be used by paint, sharpen: say which with --workload/],
  ['submit --rows 3', /--workload is one of paint, multiply, sharpen/],
  ['submit x.npy --from seeds', /x.npy is used with --from files alone/],
  ['submit y.glb --param width', /--param is NAME=VALUE, not width/],
  ['submit y.glb --param width=many', /--width is a number/],
  ['submit y.glb --file night=z.glb', /--file is for one of model, sky of paint, not night/],
  ['submit y.stl', /Nothing here takes y.stl/],
  ['submit y.glb --workload sing', /--workload is one of paint, multiply, sharpen, not sing/],
  ['submit y.glb --params [1]', /A JSON object is needed/],
  ['submit y.glb --max-price lots', /--max-price/],
  ['submit y.glb --visibility secret', /public, unlisted or private/],
])('%s is refused in words', (line, message) => {
  expect(() => order(line)).toThrow(UsageError);
  expect(() => order(line)).toThrow(message);
});

test('commands', () => {
  expect(readArguments([])).toBe('help');
  expect(readArguments(['submit', '-h'])).toBe('help');
  expect(() => readArguments(['sing'])).toThrow(/no command called sing/);
  expect(read('download j_1 --out x.exr')).toMatchObject({ command: 'download', positionals: ['j_1'], values: { out: 'x.exr' } });
});

const outputs = [
  { output: 'png', title: 'PNG', mediaType: 'image/png', extension: 'png', bytes: 7 },
  { output: 'png16', title: 'PNG 16', mediaType: 'image/png', extension: '16-bit.png', bytes: null },
  { output: 'exr', title: 'EXR', mediaType: 'image/x-exr', extension: 'exr', bytes: null },
];

test('the ending of a file says which output it is', () => {
  expect(outputFor(outputs, 'out/x.EXR').output).toBe('exr');
  expect(outputFor(outputs, 'x.png').output).toBe('png');
  expect(outputFor(outputs, 'x.16-bit.png').output).toBe('png16');
  expect(outputFor(outputs, 'x', 'png16').output).toBe('png16');
  expect(() => outputFor(outputs, 'x.jpg')).toThrow(/png \(\.png, PNG\)/);
  expect(() => outputFor(outputs, 'x.png', 'gif')).toThrow(UsageError);
});
