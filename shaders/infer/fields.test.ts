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

test('every parameter has one control of its kind, and a default that can be ordered', () => {
  const controls = fields.filter(({ kind }) => kind !== 'file');
  expect(controls.map(({ name }) => name).sort()).toEqual(Object.keys(schemas).sort());
  for (const { name, kind } of controls) expect(kind).toBe(schemas[name]?.type ?? 'choice');
  expect(Value.Errors(params, defaults)).toEqual([]);
});

test('choices offer what the schema takes, help says the range of every number', () => {
  for (const field of fields) {
    const { anyOf, minimum, maximum } = schemas[field.name] ?? {};
    if (field.kind === 'choice') expect(field.options.map(({ value }) => value)).toEqual(anyOf?.map((option) => option.const));
    if (field.kind === 'integer' || field.kind === 'number') expect(field.help, field.name).toContain(`${minimum} to ${maximum}`);
  }
});

test('what a field depends on is a choice before it', () => {
  for (const [index, { when }] of fields.entries()) {
    if (!when) continue;
    const choice = fields.slice(0, index).find(({ name }) => name === when.field);
    expect(choice?.kind === 'choice' && choice.options.map(({ value }) => value)).toEqual(expect.arrayContaining([...when.is]));
  }
});
