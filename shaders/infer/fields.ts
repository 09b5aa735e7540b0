import type { Field } from '../../shared/workload.ts';

/** The submit form: all parameters of `form.ts`. Ranges in help texts are those of the schema; a test compares. */

const files: readonly Field[] = [
  {
    kind: 'file',
    name: 'model',
    label: 'ONNX model',
    help: 'One .onnx of at most 64 MiB, float32, opset 7 to 21. The first dimension of its inputs is the batch: open, or 1.',
    accept: '.onnx',
    required: true,
  },
  {
    kind: 'choice',
    name: 'source',
    label: 'Inputs',
    help: 'What goes through the model: pictures, or numbers as NumPy saves them.',
    options: [
      { value: 'images', label: 'Pictures' },
      { value: 'arrays', label: 'Arrays' },
    ],
  },
  {
    kind: 'file',
    name: 'inputs',
    label: 'Batch',
    help: 'A ZIP of pictures (PNG, JPEG, WebP); or an .npy with the batch as its first dimension; or an .npz with one array for each input of the model, by its name.',
    accept: '.zip,.npy,.npz',
    required: true,
  },
];

const outcome: readonly Field[] = [
  {
    kind: 'choice',
    name: 'kind',
    label: 'Result',
    help: 'The best classes of each input, all numbers that come out, or pictures.',
    options: [
      { value: 'labels', label: 'Labels' },
      { value: 'arrays', label: 'Arrays' },
      { value: 'images', label: 'Pictures' },
    ],
  },
  {
    kind: 'file',
    name: 'labels',
    label: 'Names of the classes',
    help: 'A text file, one name a line, in the order of the output.',
    accept: '.txt',
    required: false,
    when: { field: 'kind', is: ['labels'] },
  },
  { kind: 'integer', name: 'k', label: 'Labels for each input', help: '1 to 10.', advanced: true, when: { field: 'kind', is: ['labels'] } },
  {
    kind: 'choice',
    name: 'scores',
    label: 'Scores',
    help: 'Automatic: a softmax is taken, unless the output is one already.',
    advanced: true,
    when: { field: 'kind', is: ['labels'] },
    options: [
      { value: 'auto', label: 'Automatic' },
      { value: 'softmax', label: 'Softmax' },
      { value: 'given', label: 'As the model gives them' },
    ],
  },
  {
    kind: 'choice',
    name: 'range',
    label: 'Black and white of what comes out',
    help: 'The values that are drawn black and white.',
    when: { field: 'kind', is: ['images'] },
    options: [
      { value: 'unit', label: '0 and 1' },
      { value: 'bytes', label: '0 and 255' },
      { value: 'signed', label: '-1 and 1' },
    ],
  },
  { kind: 'integer', name: 'output', label: 'Output', help: 'Which output of the model, from 0 to 63.', advanced: true },
];

const ofPictures = { when: { field: 'source', is: ['images'] } } as const;
const own = { when: { field: 'normalize', is: ['own'] } } as const;

const pictures: readonly Field[] = [
  {
    kind: 'choice',
    name: 'normalize',
    label: 'Values of a channel',
    help: 'What the model was trained on.',
    ...ofPictures,
    options: [
      { value: 'unit', label: '0 to 1' },
      { value: 'signed', label: '-1 to 1' },
      { value: 'bytes', label: '0 to 255' },
      { value: 'imagenet', label: 'Mean and deviation of ImageNet' },
      { value: 'own', label: 'Mean and deviation of my own' },
    ],
  },
  ...(['Red', 'Green', 'Blue'] as const).flatMap((channel): Field[] => [
    { kind: 'number', name: `mean${channel}`, label: `Mean, ${channel.toLowerCase()}`, help: '-10 to 10, of values from 0 to 1.', step: 0.001, ...own },
    {
      kind: 'number',
      name: `deviation${channel}`,
      label: `Deviation, ${channel.toLowerCase()}`,
      help: '0.0001 to 1000, of values from 0 to 1.',
      step: 0.001,
      ...own,
    },
  ]),
  {
    kind: 'choice',
    name: 'fit',
    label: 'Other proportions',
    help: 'How a picture is brought to the size of the model.',
    ...ofPictures,
    options: [
      { value: 'crop', label: 'Cut out the middle' },
      { value: 'bars', label: 'Add black around it' },
      { value: 'stretch', label: 'Stretch it' },
    ],
  },
  {
    kind: 'choice',
    name: 'colors',
    label: 'Order of channels',
    help: 'Most models take red first.',
    advanced: true,
    ...ofPictures,
    options: [
      { value: 'rgb', label: 'Red, green, blue' },
      { value: 'bgr', label: 'Blue, green, red' },
    ],
  },
  { kind: 'integer', name: 'width', label: 'Width', help: '0 to 4096. 0: what the model asks for.', unit: 'px', advanced: true, ...ofPictures },
  { kind: 'integer', name: 'height', label: 'Height', help: '0 to 4096. 0: what the model asks for.', unit: 'px', advanced: true, ...ofPictures },
];

export const fields: readonly Field[] = [...files, ...outcome, ...pictures];
