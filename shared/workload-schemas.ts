import { type Static, Type } from 'typebox';
import type { BlobHash } from './model.ts';

/** What can be ordered from a coordinator, for programs that know no workload beforehand. */

const control = {
  name: Type.String(),
  label: Type.String(),
  help: Type.String(),
  when: Type.Optional(
    Type.Object(
      { field: Type.String(), is: Type.Array(Type.String()) },
      { description: 'Used only while that choice before it has one of these values and is used itself; left out, it always is.' },
    ),
  ),
};
const workloadField = Type.Union([
  Type.Object({
    kind: Type.Literal('file'),
    ...control,
    accept: Type.String({ description: 'Extensions and media types, separated by commas.' }),
    required: Type.Boolean({ description: 'Nothing can be ordered without it, while the field is used.' }),
  }),
  Type.Object({
    kind: Type.Union([Type.Literal('integer'), Type.Literal('number')]),
    ...control,
    unit: Type.Optional(Type.String()),
    advanced: Type.Optional(Type.Boolean()),
    step: Type.Optional(Type.Number()),
  }),
  Type.Object({
    kind: Type.Literal('text'),
    ...control,
    charsMax: Type.Integer({ description: 'Characters, at most.' }),
    advanced: Type.Optional(Type.Boolean()),
  }),
  Type.Object({
    kind: Type.Literal('choice'),
    ...control,
    options: Type.Array(Type.Object({ value: Type.String(), label: Type.String() })),
    advanced: Type.Optional(Type.Boolean()),
  }),
  /** Chosen by looking; programs give it among the parameters. */
  Type.Object({ kind: Type.Literal('picked'), ...control, takeBack: Type.String() }),
]);

export const workloadView = Type.Object({
  id: Type.String(),
  version: Type.Integer(),
  title: Type.String(),
  summary: Type.String(),
  defaults: Type.Record(Type.String(), Type.Unknown(), { description: 'Parameters of an order that changes nothing.' }),
  params: Type.Unknown({ description: 'JSON Schema of the parameters.' }),
  fields: Type.Array(workloadField, { description: 'Files and parameters as the controls of a form.' }),
});
export type WorkloadView = Static<typeof workloadView>;
export type WorkloadField = WorkloadView['fields'][number];

export const uploaded = Type.Object({
  hash: Type.Unsafe<BlobHash>(Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 of the file: what quotes and jobs name it by.' })),
  bytes: Type.Integer(),
});
