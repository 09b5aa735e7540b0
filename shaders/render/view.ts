import type { Look, LookControl, WorkloadView } from '../../shared/workload.ts';
import { isFeaturePass, tileRect } from './grid.ts';
import { type RenderJob, type RenderParams, type RenderPrepared, settingsOf } from './params.ts';
import { Picture } from './picture.ts';
import { encodeSrgb, type ToneMap, toneMapOf } from './toneMap.ts';

const tones = [
  { value: 'none', label: 'sRGB, clipped' },
  { value: 'agx', label: 'AgX' },
] as const;

/** Layers that need the pass of features. */
const featureLayers = [
  { value: 'albedo', label: 'Albedo' },
  { value: 'normal', label: 'Normal' },
  { value: 'depth', label: 'Depth' },
] as const;

type Layer = 'beauty' | 'samples' | (typeof featureLayers)[number]['value'];

const EXPOSURE_STOPS_MAX = 10;

/** What is farther away than the farthest corner of the scene's box could be has this depth: see `depthUnit` of prepare.ts. */
const DEPTH_UNITS_LOG2 = 13;

export const looks: WorkloadView<RenderParams, RenderPrepared>['looks'] = ({ params }): readonly LookControl[] => {
  const { exposure, toneMap, layers } = settingsOf(params);
  const options = [{ value: 'beauty', label: 'Light' }, ...(layers === 'all' ? featureLayers : []), { value: 'samples', label: 'Samples' }];
  return [
    { kind: 'choice', name: 'layer', label: 'Layer', options, value: 'beauty' },
    {
      kind: 'range',
      name: 'exposure',
      label: 'Exposure',
      unit: 'stops',
      min: Math.min(-EXPOSURE_STOPS_MAX, exposure),
      max: Math.max(EXPOSURE_STOPS_MAX, exposure),
      step: 0.1,
      value: exposure,
    },
    { kind: 'choice', name: 'toneMap', label: 'Tone mapping', options: tones, value: toneMap },
  ];
};

/** Writes one pixel: sRGB 0 to 1. */
type Put = (index: number, r: number, g: number, b: number) => void;
type Region = readonly [x: number, y: number, width: number, height: number];

function drawLight(picture: Picture, region: Region, toneMap: ToneMap, put: Put): void {
  picture.eachPixel(...region, (index, rgb) => {
    toneMap(rgb);
    put(index, rgb[0]!, rgb[1]!, rgb[2]!);
  });
}

/** As grey, from black for none to white for as many as were ordered, by the logarithm: twice as many is one step. */
function drawSamples(picture: Picture, region: Region, most: number, put: Put): void {
  picture.eachPixel(...region, (index, _, samples) => {
    const grey = Math.log2(1 + samples) / Math.log2(1 + most);
    put(index, grey, grey, grey);
  });
}

/** Albedo as sRGB; normals from -1 to 1 as 0 to 1; depth as grey, near white, black where nothing is. */
function drawFeatures(picture: Picture, region: Region, layer: Layer, farthest: number, put: Put): void {
  picture.eachFeature(...region, (index, { albedo, normal, depth }) => {
    if (layer === 'albedo') put(index, encodeSrgb(albedo[0]), encodeSrgb(albedo[1]), encodeSrgb(albedo[2]));
    else if (layer === 'normal') put(index, (normal[0] + 1) / 2, (normal[1] + 1) / 2, (normal[2] + 1) / 2);
    else {
      const grey = depth === Infinity ? 0 : Math.max(0, 1 - Math.sqrt(depth / farthest));
      put(index, grey, grey, grey);
    }
  });
}

const layerOf = ({ layer = 'beauty' }: Look): Layer => layer as Layer;
const isFeatureLayer = (layer: Layer): boolean => featureLayers.some(({ value }) => value === layer);

/** The tone mapping of a look; a value that was left out is as it was ordered. */
function toneMapOfLook({ params }: RenderJob, { toneMap, exposure }: Look): ToneMap {
  return toneMapOf(params, {
    ...(toneMap === 'none' || toneMap === 'agx' ? { toneMap } : {}),
    ...(typeof exposure === 'number' ? { exposure } : {}),
  });
}

export const createPainter: WorkloadView<RenderParams, RenderPrepared>['createPainter'] = (job, frame) => {
  const { params, prepared } = job;
  const picture = new Picture(job, frame);
  const farthest = 2 ** (prepared.depthLog2 + DEPTH_UNITS_LOG2);
  let layer: Layer = 'beauty';
  let toneMap = toneMapOf(params);
  return {
    shows: ({ pass, tile }) => isFeaturePass(params, pass) === isFeatureLayer(layer) && tileRect(params, tile).frame === frame,
    setLook(look) {
      layer = layerOf(look);
      toneMap = toneMapOfLook(job, look);
    },
    add(tile, parts, result) {
      picture.add(tile, parts, result);
      return tileRect(params, tile.tile);
    },
    pixels(...region) {
      const bytes = new Uint8ClampedArray(region[2] * region[3] * 4);
      const put: Put = (index, r, g, b) => {
        bytes[index * 4] = Math.round(255 * r);
        bytes[index * 4 + 1] = Math.round(255 * g);
        bytes[index * 4 + 2] = Math.round(255 * b);
        bytes[index * 4 + 3] = 255;
      };
      if (layer === 'beauty') drawLight(picture, region, toneMap, put);
      else if (layer === 'samples') drawSamples(picture, region, params.samples, put);
      else drawFeatures(picture, region, layer, farthest, put);
      return bytes;
    },
  };
};
