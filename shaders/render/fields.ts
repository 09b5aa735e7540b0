import type { Field } from '../../shared/workload.ts';

/** The submit form: all parameters of `form.ts` but `roulette`, which no choice of a form can say. Ranges in help texts are those of the schema; a test compares. */

const scene: readonly Field[] = [
  {
    kind: 'choice',
    name: 'scene',
    label: 'Scene',
    help: 'Your own file, or the classic test box.',
    advanced: true,
    options: [
      { value: 'file', label: 'My .glb file' },
      { value: 'cornell', label: 'Cornell box' },
    ],
  },
];

const subject: readonly Field[] = [
  {
    kind: 'file',
    name: 'model',
    label: 'glTF file',
    help: 'One self-contained .glb. What it holds that cannot be rendered is listed beside the price, before you pay.',
    accept: '.glb,model/gltf-binary',
    required: true,
    when: { field: 'scene', is: ['file'] },
  },
  {
    kind: 'file',
    name: 'environment',
    label: 'Environment map',
    help: 'A Radiance .hdr panorama, twice as wide as high. It lights the scene from all around and is seen behind it.',
    accept: '.hdr,image/vnd.radiance',
    required: false,
  },
];

const quality: readonly Field[] = [
  { kind: 'integer', name: 'width', label: 'Width', help: '16 to 8192.', unit: 'px', advanced: true },
  { kind: 'integer', name: 'height', label: 'Height', help: '16 to 8192.', unit: 'px', advanced: true },
  { kind: 'integer', name: 'samples', label: 'Samples', help: 'Paths per pixel, 1 to 65536. Four times as many halve the noise.', advanced: true },
  {
    kind: 'number',
    name: 'noise',
    label: 'Noise',
    help: '0 to 1. With 0.02 a tile is done when its pixels are expected to be off by 2 % of their light. Samples then is the most, which the price covers; what is left comes back. 0: all samples everywhere.',
    step: 0.005,
    advanced: true,
  },
];

const sun = { field: 'lighting', is: ['sun'] };

const lighting: readonly Field[] = [
  {
    kind: 'choice',
    name: 'lighting',
    label: 'Light',
    help: 'Automatic: the environment map, without one the file’s own lights, without any a white sky.',
    advanced: true,
    options: [
      { value: 'auto', label: 'Automatic' },
      { value: 'scene', label: 'Only the file’s own' },
      { value: 'sky', label: 'Add the environment map or a white sky' },
      { value: 'sun', label: 'Add a white sky and a sun' },
    ],
  },
  { kind: 'number', name: 'skyStrength', label: 'Sky strength', help: '0 to 1000. Factor on the environment map or the white sky.', advanced: true },
  {
    kind: 'number',
    name: 'skyRotation',
    label: 'Sky rotation',
    help: '-360 to 360. Turns the environment map about the vertical.',
    unit: '°',
    advanced: true,
  },
  { kind: 'number', name: 'sunElevation', label: 'Sun elevation', help: '-90 to 90. Above the horizon.', unit: '°', advanced: true, when: sun },
  {
    kind: 'number',
    name: 'sunAzimuth',
    label: 'Sun azimuth',
    help: '-360 to 360. From north (−z) over east (+x).',
    unit: '°',
    advanced: true,
    when: sun,
  },
  {
    kind: 'number',
    name: 'sunStrength',
    label: 'Sun strength',
    help: '0 to 100000. What a white surface that faces the sun receives; the sky gives it about 3.',
    advanced: true,
    when: sun,
  },
  { kind: 'integer', name: 'bounces', label: 'Bounces', help: '0 to 32. How often light may be reflected on its way to the camera.', advanced: true },
];

const camera: readonly Field[] = [
  {
    kind: 'picked',
    name: 'view',
    label: 'View',
    help: 'Where you turned the preview to: the picture is taken from there, in all frames.',
    takeBack: 'Use the file’s camera',
  },
  {
    kind: 'integer',
    name: 'camera',
    label: 'Camera',
    help: '0 to 9999. Which of the file’s cameras, from 0. A file without one is shown whole.',
    advanced: true,
  },
  {
    kind: 'number',
    name: 'aperture',
    label: 'Aperture',
    help: '0 to 1000. Diameter of the lens: the wider, the more is out of focus. 0: everything is sharp.',
    unit: 'mm',
    advanced: true,
  },
  {
    kind: 'number',
    name: 'focusDistance',
    label: 'Focus distance',
    help: '0 to 1000000. What is sharp with an aperture. 0: what is in the middle of the picture.',
    unit: 'm',
    advanced: true,
  },
];

const animation: readonly Field[] = [
  {
    kind: 'integer',
    name: 'frames',
    label: 'Frames',
    help: '1 to 1000. More than 1 plays the file’s animation; each frame costs as much as a picture.',
    advanced: true,
  },
  { kind: 'integer', name: 'firstFrame', label: 'First frame', help: '0 to 1000000. 0 is the animation’s start.', advanced: true },
  { kind: 'number', name: 'framesPerSecond', label: 'Frames a second', help: '0.1 to 240. Of the animation, and of the preview.', advanced: true },
];

const files: readonly Field[] = [
  {
    kind: 'choice',
    name: 'toneMap',
    label: 'Tone mapping',
    help: 'How bright light fits into PNG files and on the job’s page. EXR files stay linear.',
    advanced: true,
    options: [
      { value: 'none', label: 'None: sRGB, clipped' },
      { value: 'agx', label: 'AgX, as in Blender' },
    ],
  },
  {
    kind: 'number',
    name: 'exposure',
    label: 'Exposure',
    help: '-20 to 20. Of PNG files and the job’s page; 1 is twice as bright.',
    unit: 'stops',
    advanced: true,
  },
  {
    kind: 'choice',
    name: 'layers',
    label: 'Layers of the EXR',
    help: 'Albedo, normal, depth and sample count, for compositing and denoising. They cost a little more.',
    advanced: true,
    options: [
      { value: 'all', label: 'All' },
      { value: 'none', label: 'None' },
    ],
  },
];

export const fields: readonly Field[] = [...scene, ...subject, ...quality, ...lighting, ...camera, ...animation, ...files];
