import { Value } from 'typebox/value';
import { expect, test } from 'vitest';
import { fields, params } from './form.ts';
import { defaults } from './params.ts';

interface Schema {
  readonly type?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly anyOf?: readonly { readonly const: string }[];
}
const schemas = params.properties as Readonly<Record<string, Schema>>;

test('every parameter has one control of its kind, but for the one that no control can say', () => {
  const controls = fields.filter(({ kind }) => kind !== 'file');
  expect(controls.map(({ name }) => name).sort()).toEqual(
    Object.keys(schemas)
      .filter((name) => name !== 'roulette')
      .sort(),
  );
  for (const { name, kind } of controls) expect(kind).toBe(schemas[name]?.type === 'object' ? 'picked' : (schemas[name]?.type ?? 'choice'));
});

test('choices offer what the schema takes', () => {
  for (const field of fields)
    if (field.kind === 'choice') expect(field.options.map(({ value }) => value)).toEqual(schemas[field.name]?.anyOf?.map((option) => option.const));
});

test('help says the range of every number', () => {
  for (const { kind, name, help } of fields) {
    if (kind !== 'integer' && kind !== 'number') continue;
    const { minimum, maximum } = schemas[name] ?? {};
    expect(help, name).toContain(`${minimum} to ${maximum}`);
  }
});

test('the form starts with parameters that can be ordered', () => {
  expect(Value.Errors(params, defaults)).toEqual([]);
});

test('a scene and an environment map can be given, told apart by their names', () => {
  const accepted = fields.flatMap((field) => (field.kind === 'file' ? [[field.name, field.accept.split(',')[0]]] : []));
  expect(accepted).toEqual([
    ['model', '.glb'],
    ['environment', '.hdr'],
  ]);
});
