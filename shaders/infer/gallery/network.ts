import { Rng } from '../../../shared/rng.ts';

/**
 * A small convolutional network that learns on one core in a minute or two: three convolutions of 3 x 3 (pad 1), each rectified, the mean over all places,
 * one score a class. TensorFlow.js takes two hundred times as long where it has no native part. Channels of a place lie side by side (NHWC).
 */

interface Layer {
  readonly inputs: number;
  readonly outputs: number;
  readonly stride: number;
  /** Edge of the square that comes in, and that goes out. */
  readonly edge: number;
  readonly made: number;
}

/** Where the nine neighbours of every place lie, as numbers of places; -1 beyond the edge. */
function neighboursOf({ edge, stride, made }: Layer): Int32Array {
  return Int32Array.from({ length: made * made * 9 }, (_, at) => {
    const place = Math.floor(at / 9);
    const y = Math.floor(place / made) * stride - 1 + Math.floor((at % 9) / 3);
    const x = (place % made) * stride - 1 + (at % 3);
    return y >= 0 && y < edge && x >= 0 && x < edge ? y * edge + x : -1;
  });
}

/** Numbers that are learned, with Adam's moments. */
class Learned {
  readonly values: Float32Array<ArrayBuffer>;
  readonly slopes: Float32Array<ArrayBuffer>;
  readonly #first: Float32Array;
  readonly #second: Float32Array;

  constructor(size: number, fill: () => number) {
    this.values = Float32Array.from({ length: size }, fill);
    this.slopes = new Float32Array(size);
    this.#first = new Float32Array(size);
    this.#second = new Float32Array(size);
  }

  /** Kingma and Ba, "Adam", 2015; with `step` from 1. */
  learn(rate: number, step: number): void {
    const [a, b] = [1 - 0.9 ** step, 1 - 0.999 ** step];
    for (let at = 0; at < this.values.length; at++) {
      const slope = this.slopes[at]!;
      this.#first[at]! += 0.1 * (slope - this.#first[at]!);
      this.#second[at]! += 0.001 * (slope * slope - this.#second[at]!);
      this.values[at]! -= (rate * (this.#first[at]! / a)) / (Math.sqrt(this.#second[at]! / b) + 1e-7);
    }
    this.slopes.fill(0);
  }
}

export class Network {
  readonly layers: readonly Layer[];
  /** Of layer i: weights by output, row, column, input; and one bias for each output. The last pair is that of the scores. */
  readonly weights: readonly Learned[];
  readonly biases: readonly Learned[];
  readonly #classes: number;
  readonly #neighbours: Int32Array[];
  readonly #patches: Float32Array[];
  readonly #outs: Float32Array[];

  constructor(edge: number, classes: number, channels: readonly number[], strides: readonly number[], seed: number) {
    const rng = new Rng(seed);
    const normal = (): number => rng.unit() + rng.unit() + rng.unit() + rng.unit() - 2;
    let [inputs, now] = [3, edge];
    this.layers = channels.map((outputs, index): Layer => {
      const layer = { inputs, outputs, stride: strides[index]!, edge: now, made: Math.ceil(now / strides[index]!) };
      [inputs, now] = [outputs, layer.made];
      return layer;
    });
    this.#classes = classes;
    const he = (size: number, fan: number): Learned => new Learned(size, () => normal() * Math.sqrt(6 / fan));
    this.weights = [...this.layers.map((layer) => he(layer.outputs * 9 * layer.inputs, 9 * layer.inputs)), he(classes * inputs, inputs)];
    this.biases = [...channels, classes].map((size) => new Learned(size, () => 0));
    this.#neighbours = this.layers.map(neighboursOf);
    this.#patches = this.layers.map(({ made, inputs: from }) => new Float32Array(made * made * 9 * from));
    this.#outs = this.layers.map(({ made, outputs }) => new Float32Array(made * made * outputs));
  }

  /** Scores of a picture of values from 0 to 1. */
  scores(picture: Float32Array): Float64Array {
    let now: Float32Array = picture;
    for (const index of this.layers.keys()) now = this.#convolve(index, now);
    const means = this.#means();
    const [weights, biases] = [this.weights.at(-1)!.values, this.biases.at(-1)!.values];
    return Float64Array.from({ length: this.#classes }, (_, label) =>
      means.reduce((sum, mean, at) => sum + mean * weights[label * means.length + at]!, biases[label]!),
    );
  }

  /** Adds the slopes of one picture's cross-entropy. Returns whether its label had the best score. */
  study(picture: Float32Array, label: number): boolean {
    const scores = this.scores(picture);
    const most = Math.max(...scores);
    const powers = scores.map((score) => Math.exp(score - most));
    const sum = powers.reduce((total, power) => total + power, 0);
    const slopes = powers.map((power, at) => power / sum - (at === label ? 1 : 0));
    const means = this.#means();
    const [weights, biases] = [this.weights.at(-1)!, this.biases.at(-1)!];
    const back = new Float64Array(means.length);
    for (const [at, slope] of slopes.entries()) {
      biases.slopes[at]! += slope;
      for (const [channel, mean] of means.entries()) {
        weights.slopes[at * means.length + channel]! += slope * mean;
        back[channel]! += slope * weights.values[at * means.length + channel]!;
      }
    }
    const places = this.layers.at(-1)!.made ** 2;
    let slope = Float32Array.from(this.#outs.at(-1)!, (_, at) => back[at % back.length]! / places);
    for (let index = this.layers.length - 1; index >= 0; index--) slope = this.#back(index, slope);
    return scores[label] === most;
  }

  learn(rate: number, step: number): void {
    for (const each of [...this.weights, ...this.biases]) each.learn(rate, step);
  }

  #means(): Float64Array {
    const { outputs, made } = this.layers.at(-1)!;
    const sums = new Float64Array(outputs);
    for (const [at, value] of this.#outs.at(-1)!.entries()) sums[at % outputs]! += value / (made * made);
    return sums;
  }

  #convolve(index: number, input: Float32Array): Float32Array {
    const layer = this.layers[index]!;
    const { inputs, outputs, made } = layer;
    const [patches, out, weights, biases] = [this.#patches[index]!, this.#outs[index]!, this.weights[index]!.values, this.biases[index]!.values];
    const neighbours = this.#neighbours[index]!;
    const size = 9 * inputs;
    for (let place = 0; place < made * made; place++) {
      for (let at = 0; at < 9; at++) {
        const from = neighbours[place * 9 + at]!;
        for (let channel = 0; channel < inputs; channel++) patches[place * size + at * inputs + channel] = from < 0 ? 0 : input[from * inputs + channel]!;
      }
      for (let output = 0; output < outputs; output++) {
        let sum = biases[output]!;
        for (let at = 0; at < size; at++) sum += weights[output * size + at]! * patches[place * size + at]!;
        out[place * outputs + output] = Math.max(0, sum);
      }
    }
    return out;
  }

  /** From the slopes of what a layer made to those of what it was given. */
  #back(index: number, slopes: Float32Array): Float32Array<ArrayBuffer> {
    const layer = this.layers[index]!;
    const { inputs, outputs, made, edge } = layer;
    const [patches, out, weights, biases] = [this.#patches[index]!, this.#outs[index]!, this.weights[index]!, this.biases[index]!];
    const neighbours = this.#neighbours[index]!;
    const size = 9 * inputs;
    const given = new Float32Array(edge * edge * inputs);
    const patch = new Float32Array(size);
    for (let place = 0; place < made * made; place++) {
      patch.fill(0);
      for (let output = 0; output < outputs; output++) {
        const slope = out[place * outputs + output]! > 0 ? slopes[place * outputs + output]! : 0;
        if (slope === 0) continue;
        biases.slopes[output]! += slope;
        for (let at = 0; at < size; at++) {
          weights.slopes[output * size + at]! += slope * patches[place * size + at]!;
          patch[at]! += slope * weights.values[output * size + at]!;
        }
      }
      if (index === 0) continue;
      for (let at = 0; at < 9; at++) {
        const from = neighbours[place * 9 + at]!;
        for (let channel = 0; from >= 0 && channel < inputs; channel++) given[from * inputs + channel]! += patch[at * inputs + channel]!;
      }
    }
    return given;
  }
}
