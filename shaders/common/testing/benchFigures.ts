/** What benchmarks make of repeated measurements. */

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/** The median, and with more than one value the least and the most as `NAME_min` and `NAME_max`. */
export function spread(name: string, values: readonly number[]): Record<string, number> {
  if (values.length === 1) return { [name]: values[0]! };
  return { [name]: median(values), [`${name}_min`]: Math.min(...values), [`${name}_max`]: Math.max(...values) };
}

export type Picture = ArrayLike<number>;

export function meanOf(picture: Picture): number {
  let sum = 0;
  for (let i = 0; i < picture.length; i++) sum += picture[i]!;
  return sum / picture.length;
}

/** Mean of the squared differences over pixels and channels. */
export function squaredError(a: Picture, b: Picture): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum / a.length;
}

export function averageOf(pictures: readonly Picture[]): Float64Array {
  const average = new Float64Array(pictures[0]!.length);
  for (const picture of pictures) for (let i = 0; i < average.length; i++) average[i]! += picture[i]! / pictures.length;
  return average;
}

export interface Reference {
  readonly picture: Picture;
  /** Its own variance, on average over pixels and channels. */
  readonly variance: number;
}

export interface Convergence {
  /** Squared error that more paths do not take away. */
  readonly bias2: number;
  /** For each round the squared error above that, times the camera paths a pixel: c of RMSE^2 = bias^2 + c / paths. */
  readonly variances: readonly number[];
  /** Mean of all rounds. */
  readonly mean: number;
}

/**
 * Fits RMSE^2 = bias^2 + c / paths to independent pictures of `samples` paths a pixel. What pictures differ by among themselves is noise,
 * and what their average keeps above its share of that, and above the reference's own, is bias.
 */
export function convergence(pictures: readonly Picture[], samples: readonly number[], reference: Reference): Convergence {
  const average = averageOf(pictures);
  const count = pictures.length;
  const noise = pictures.reduce((sum, picture) => sum + squaredError(picture, average), 0) / Math.max(1, count - 1);
  const bias2 = Math.max(0, squaredError(average, reference.picture) - noise / count - reference.variance);
  const errors = pictures.map((picture) => squaredError(picture, reference.picture) - reference.variance);
  return { bias2, variances: errors.map((error, i) => Math.max(0, error - bias2) * samples[i]!), mean: meanOf(average) };
}
