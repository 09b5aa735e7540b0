/**
 * The network: "ESRGAN slim" of UpscalerJS (npm @upscalerjs/esrgan-slim, MIT), a residual dense network (Zhang et al., "Residual Dense Network for
 * Image Super-Resolution", CVPR 2018) with C = 1, D = 2, G = 4, G0 = 64. It takes RGB from 0 to 255, as it is, and gives RGB of the same range.
 *
 *   F_m1 = conv3(image)            F_0 = conv3(F_m1)
 *   F_1 = relu(conv3(F_0))         L_1 = conv1(F_0 · F_1) + F_0          `·`: channels side by side
 *   F_2 = relu(conv3(L_1))         L_2 = conv1(L_1 · F_2) + L_1
 *   G = conv1(L_1 · L_2)           D = conv3(G) + F_m1
 *   U_1 = relu(conv5(D))           U_2 = relu(conv3(U_1))                U_3 = conv3(U_2)
 *   output = conv3(U_3, every pixel repeated scale x scale times)
 *
 * Every convolution has a bias and sees zeros beyond the edges of the image. All but the last work at the input's resolution.
 */

export const scales = [2, 3, 4] as const;
export type Scale = (typeof scales)[number];

export interface Layer {
  /** As in the package's model.json. */
  readonly name: string;
  /** Of the square kernel. */
  readonly edge: 1 | 3 | 5;
  /** Channels in and out. */
  readonly from: number;
  readonly to: number;
  /** Input pixels around what is wanted where this layer's values are needed too. */
  readonly margin: number;
}

const FEATURES = 64;
const GROWTH = 4;
/** At the output's resolution. */
export const OUTPUT_LAYER = 'SR';
/** Channels of a picture. */
export const RGB = 3;

/** In the order of their work. The last one works at the output's resolution. */
export const layersOf = (scale: Scale): readonly Layer[] => [
  { name: 'F_m1', edge: 3, from: RGB, to: FEATURES, margin: 9 },
  { name: 'F_0', edge: 3, from: FEATURES, to: FEATURES, margin: 8 },
  { name: 'F_1_1', edge: 3, from: FEATURES, to: GROWTH, margin: 7 },
  { name: 'LFF_1', edge: 1, from: FEATURES + GROWTH, to: FEATURES, margin: 7 },
  { name: 'F_2_1', edge: 3, from: FEATURES, to: GROWTH, margin: 6 },
  { name: 'LFF_2', edge: 1, from: FEATURES + GROWTH, to: FEATURES, margin: 6 },
  { name: 'GFF_1', edge: 1, from: 2 * FEATURES, to: FEATURES, margin: 6 },
  { name: 'GFF_2', edge: 3, from: FEATURES, to: FEATURES, margin: 5 },
  { name: 'UPN1', edge: 5, from: FEATURES, to: FEATURES, margin: 3 },
  { name: 'UPN2', edge: 3, from: FEATURES, to: 32, margin: 2 },
  { name: 'UPN3', edge: 3, from: 32, to: RGB * scale ** 2, margin: 1 },
  { name: OUTPUT_LAYER, edge: 3, from: RGB * scale ** 2, to: RGB, margin: 0 },
];

/** Input pixels that the network reads around an input pixel whose output is wanted: of a window at the image's edge, as many zeros. */
export const MARGIN = 10;

const weightsOf = ({ edge, from, to }: Layer): number => edge ** 2 * from * to;

/** Numbers of the kernel and the bias of every layer. */
export const weightCount = (scale: Scale): number => layersOf(scale).reduce((sum, layer) => sum + weightsOf(layer) + layer.to, 0);

/** Multiplications and additions for a window of input pixels, with the margins of its layers. */
export function macsOf(scale: Scale, width: number, height: number): number {
  return layersOf(scale).reduce((sum, layer) => {
    const pixels = (width + 2 * layer.margin) * (height + 2 * layer.margin);
    return sum + weightsOf(layer) * (layer.name === OUTPUT_LAYER ? scale ** 2 * width * height : pixels);
  }, 0);
}
