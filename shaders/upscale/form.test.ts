import { Value } from 'typebox/value';
import { expect, test } from 'vitest';
import { fields, params, sliders } from './form.ts';
import { defaults } from './params.ts';

test('what the form offers can be ordered, and nothing else', () => {
  expect(Value.Check(params, defaults)).toBe(true);
  for (const bad of [{}, { scale: 2 }, { scale: '5' }, { scale: '2', width: 8 }]) expect(Value.Check(params, bad)).toBe(false);
  const scale = fields.find(({ name }) => name === 'scale');
  expect(scale?.kind === 'choice' && scale.options.every(({ value }) => Value.Check(params, { scale: value }))).toBe(true);
});

test('the slider says what it orders', () => {
  const [way] = sliders[0]!.ways;
  for (const stop of way!.stops) {
    const ordered = { ...defaults, ...way!.write(defaults, stop) };
    expect(Value.Check(params, ordered)).toBe(true);
    expect(way!.read(ordered)).toBe(stop);
    expect(way!.say(ordered)).toMatch(String(stop));
  }
});
