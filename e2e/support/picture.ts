import { PNG } from 'pngjs';

export interface Difference {
  /** Share of pixels whose colour channels all lie within 2/255. */
  readonly closeShare: number;
  /** Mean absolute difference over all colour channels, in 1/255. */
  readonly mean: number;
  /** Different colours in the first picture: a blank one has one. */
  readonly colours: number;
}

/** Compares two PNG files of one size. */
export function comparePictures(a: Buffer, b: Buffer): Difference {
  const [first, second] = [PNG.sync.read(a), PNG.sync.read(b)];
  if (first.width !== second.width || first.height !== second.height)
    throw new Error(`${first.width} x ${first.height} against ${second.width} x ${second.height}`);
  const pixels = first.width * first.height;
  const colours = new Set<number>();
  let close = 0;
  let sum = 0;
  for (let at = 0; at < pixels * 4; at += 4) {
    const distances = [0, 1, 2].map((channel) => Math.abs((first.data[at + channel] ?? 0) - (second.data[at + channel] ?? 0)));
    if (Math.max(...distances) <= 2) close++;
    sum += distances.reduce((total, distance) => total + distance);
    colours.add(first.data.readUIntBE(at, 3));
  }
  return { closeShare: close / pixels, mean: sum / (pixels * 3), colours: colours.size };
}
