import { describe, expect, test } from 'vitest';
import { InputError } from '../../shared/workload.ts';
import { lightingOf } from './lighting.ts';
import { type Material, type MeshScene, type PunctualLight, stillScene, TriangleBuilder, whiteMaterial } from './mesh.ts';
import { type RenderParams, settingsOf } from './params.ts';
import { hdr } from './testing/gltfPaint.ts';

const map = hdr(16, 8, () => [2, 2, 2]);

function sceneOf(material: Partial<Material>, lights: readonly PunctualLight[] = []): MeshScene {
  const builder = new TriangleBuilder(1);
  builder.add([0, 0, 0, 1, 0, 0, 0, 1, 0], null, null, 0);
  // The second material is on nothing.
  return stillScene(
    builder.finish(),
    [
      { ...whiteMaterial, ...material },
      { ...whiteMaterial, emission: [9, 9, 9] },
    ],
    { lights },
  );
}
const lampOf = (color: number): PunctualLight => ({
  kind: 'point',
  color: [color, color, color],
  innerCone: 0,
  outerCone: 0,
  poses: [{ position: [0, 3, 0], direction: [0, -1, 0] }],
});

const dark = sceneOf({});
const glowing = sceneOf({ emission: [1, 0, 0] });
const lamp = sceneOf({}, [lampOf(1)]);

const lightOf = (scene: MeshScene, changes: Partial<RenderParams>, environment?: Uint8Array) =>
  lightingOf(scene, settingsOf({ scene: 'file', width: 16, height: 16, samples: 1, bounces: 1, lighting: 'auto', ...changes }), environment);
const kindOf = (...args: Parameters<typeof lightOf>): string => {
  const { sky, beyond } = lightOf(...args);
  return [sky[0] > 0 ? `sky ${sky[0]}` : '', beyond.environment ? 'map' : '', beyond.sun ? 'sun' : ''].filter(Boolean).join(', ') || 'nothing';
};

describe('which light was ordered', () => {
  test.each([
    ['auto', dark, undefined, 'sky 1'],
    ['auto', glowing, undefined, 'nothing'],
    ['auto', lamp, undefined, 'nothing'],
    ['auto', dark, map, 'sky 1, map'],
    ['auto', glowing, map, 'sky 1, map'],
    ['scene', dark, undefined, 'nothing'],
    ['scene', glowing, map, 'nothing'],
    ['sky', glowing, undefined, 'sky 1'],
    ['sky', glowing, map, 'sky 1, map'],
    ['sun', glowing, undefined, 'sky 1, sun'],
    ['sun', lamp, map, 'sky 1, map, sun'],
  ] as const)('%s', (lighting, scene, environment, expected) => {
    expect(kindOf(scene, { lighting }, environment)).toBe(expected);
  });

  test('what emits but is on nothing, is seen by cameras alone or has no strength is no light', () => {
    for (const scene of [dark, sceneOf({ emission: [5, 5, 5], unlit: true }), sceneOf({}, [lampOf(0)])]) expect(kindOf(scene, {})).toBe('sky 1');
    const black = { images: [{ width: 1, height: 1, texels: Uint8Array.of(0, 0, 0, 255) }] };
    const texture = { image: 0, wrapS: 'repeat', wrapT: 'repeat', nearest: false, srgb: true } as const;
    const slot = { texture: 0, uvSet: 0, transform: [1, 0, 0, 0, 1, 0] } as const;
    expect(kindOf({ ...sceneOf({ emission: [5, 5, 5], textures: { emission: slot } }), ...black, textures: [texture] }, {})).toBe('sky 1');
  });

  test('strengths are factors, and no sun of strength 0 is made', () => {
    expect(kindOf(dark, { skyStrength: 2.5 })).toBe('sky 2.5');
    expect(lightOf(dark, { skyStrength: 2.5 }, map).beyond.strength).toBe(2.5);
    expect(kindOf(dark, { lighting: 'sun', sunStrength: 0 })).toBe('sky 1');
    expect(kindOf(dark, { lighting: 'sun', skyStrength: 0 })).toBe('sun');
  });

  test('a map too bright for its texels gives the factor back to the sky', () => {
    const { sky, beyond } = lightOf(
      dark,
      { skyStrength: 0.5 },
      hdr(16, 8, () => [1e6, 1e6, 1e6]),
    );
    expect(beyond.environment!.scale).toBeGreaterThan(15);
    expect(sky[0]).toBeCloseTo(0.5 * beyond.environment!.scale, 9);
  });
});

describe('the sun', () => {
  const sunOf = (changes: Partial<RenderParams>) => lightOf(dark, { lighting: 'sun', ...changes }).beyond.sun!;

  test.each([
    [0, 0, [0, 0, 1]],
    [0, 90, [-1, 0, 0]],
    [0, 180, [0, 0, -1]],
    [90, 0, [0, -1, 0]],
    [45, 90, [-Math.SQRT1_2, -Math.SQRT1_2, 0]],
  ] as const)('%i degrees above the horizon at azimuth %i shines along %o', (sunElevation, sunAzimuth, direction) => {
    sunOf({ sunElevation, sunAzimuth }).direction.forEach((value, axis) => {
      expect(value).toBeCloseTo(direction[axis]!, 9);
    });
  });

  test('has the size of the real one and the irradiance that was ordered', () => {
    const { angularRadius, radiance } = sunOf({ sunStrength: 7 });
    expect((angularRadius * 360) / Math.PI).toBeCloseTo(0.533, 6);
    // Of a disc that is faced: radiance times pi sin^2.
    for (const value of radiance) expect(value * Math.PI * Math.sin(angularRadius) ** 2).toBeCloseTo(7, 9);
  });
});

describe('what is said', () => {
  const said = (...args: Parameters<typeof lightOf>): readonly string[] => lightOf(...args).report;

  test('a picture that will be black', () => {
    const black = 'Nothing in the scene emits light and there is no sky: the picture will be black.';
    expect(said(dark, { lighting: 'scene' })).toEqual([black]);
    expect(said(dark, { skyStrength: 0 })).toEqual([black]);
    for (const changes of [{}, { lighting: 'sky' }, { lighting: 'sun', skyStrength: 0 }] as const) expect(said(dark, changes)).toEqual([]);
    expect(said(glowing, { lighting: 'scene' })).toEqual([]);
    expect(said(lamp, { lighting: 'scene' })).toEqual([]);
  });

  test('an environment map that is not used', () => {
    expect(said(glowing, { lighting: 'scene' }, map)).toEqual(['The environment map is not used: only the file’s own lights were ordered.']);
    for (const lighting of ['auto', 'sky', 'sun'] as const) expect(said(glowing, { lighting }, map)).toEqual([]);
  });

  test('a map that cannot be read is refused where it would be used', () => {
    const refused = (lighting: RenderParams['lighting']): unknown => {
      try {
        return lightOf(glowing, { lighting }, Uint8Array.of(1, 2, 3));
      } catch (error) {
        return error;
      }
    };
    expect(refused('auto')).toBeInstanceOf(InputError);
    expect(refused('auto')).toMatchObject({ field: 'environment' });
    expect(refused('scene')).not.toBeInstanceOf(Error);
  });
});
