import { type Static, Type } from 'typebox';

/** How well device classes agree. Part of schemas.ts, which exports it. */

const count = Type.Integer({ minimum: 0 });
/** How well device classes agree: `GET /api/agreement`. Classes are what devices say of themselves; nothing is decided by them. */
export const agreementView = Type.Object({
  pairs: Type.Array(
    Type.Object({
      workload: Type.String(),
      /** Class of the device that handed elements in, and of the one that computed them again; `cpu` is the coordinator. */
      author: Type.String(),
      auditor: Type.String(),
      /** Elements of accepted results that were compared, those further apart than the tolerance, and those of the author that nothing explains. */
      drawn: count,
      differing: count,
      unexplained: count,
    }),
  ),
  /** What each workload declares: the upper bounds that `pairs` are to be held against. */
  bounds: Type.Array(
    Type.Object({ workload: Type.String(), unit: Type.String(), allowed: Type.Number(), honestMissRate: Type.Number(), unexplainedRate: Type.Number() }),
  ),
});
export type AgreementView = Static<typeof agreementView>;
