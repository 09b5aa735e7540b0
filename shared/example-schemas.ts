import { type Static, Type } from 'typebox';

/** Orders to start from: `GET /api/examples`. Part of schemas.ts, which exports it. */

export const exampleView = Type.Object({
  workload: Type.String(),
  id: Type.String(),
  title: Type.String(),
  params: Type.Unknown(),
  /** Fields of the order with the size of their files: `GET /api/examples/:workload/:example/files/:name` has the bytes. */
  files: Type.Array(Type.Object({ name: Type.String(), bytes: Type.Integer() })),
});
export type ExampleView = Static<typeof exampleView>;
export const examplesView = Type.Object({ examples: Type.Array(exampleView) });
