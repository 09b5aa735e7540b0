import { type Static, Type } from 'typebox';

/** The price book: `GET /api/prices`. Part of schemas.ts, which exports it. */

const sentence = (description: string) => Type.String({ minLength: 1, description });

/** How a workload's work unit is known: what a kernel's spec states of the reference GPU, and what a device measured of it. `shaders/ID/calibration.json`. */
export const calibration = Type.Object({
  kernelVersion: Type.Integer({ minimum: 1, description: 'Version of the kernel that was measured.' }),
  stated: Type.Object(
    { gpu: sentence('The reference GPU.'), from: sentence('Where the size of its unit is from.') },
    { description: 'What a unit is, as the workload states it.' },
  ),
  measured: Type.Object(
    {
      device: sentence('What it was measured on.'),
      microUnitsPerSecond: Type.Number({
        exclusiveMinimum: 0,
        description: 'Median over the rounds; a million on the reference GPU, if what is stated is so.',
      }),
      spread: Type.Number({ minimum: 0, description: 'Fastest less slowest round, as a share of the median.' }),
      rounds: Type.Integer({ minimum: 3, description: 'Rounds that counted.' }),
      atMs: Type.Integer({ minimum: 0, description: 'When, in milliseconds since 1970.' }),
      software: Type.Boolean({ description: 'True: a processor computed, so the unit is stated, and not measured on the reference GPU.' }),
    },
    { description: 'What `npm run calibrate` measured.' },
  ),
});
export type Calibration = Static<typeof calibration>;

/** A version of the price book, or null of what was ordered before there was one, or costs nothing. */
export const priceVersion = Type.Union([Type.Integer({ minimum: 1 }), Type.Null()]);

export const priceView = Type.Object({
  version: Type.Integer({ minimum: 1, description: 'Names this entry for ever. Quotes, jobs and statements name it.' }),
  workload: Type.String({ description: 'Which kind of work.' }),
  kernelVersion: Type.Integer({ minimum: 1, description: 'Version of the workload that it is for.' }),
  rateMicroCredits: Type.String({ pattern: '^[1-9][0-9]{0,14}$', description: 'Price of a work unit.' }),
  fromMs: Type.Integer({ description: 'Since when, in milliseconds since 1970.' }),
  unit: Type.Object({
    seconds: Type.Literal(1, { description: 'How long the reference GPU computes for one work unit.' }),
    gpu: Type.String({ description: 'The reference GPU.' }),
  }),
  calibration,
});
export type PriceView = Static<typeof priceView>;

/** `version`: that entry alone, also when it is no longer in force. */
export const pricesQuery = Type.Object(
  { version: Type.Optional(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })) },
  { additionalProperties: false },
);

export const pricesView = Type.Object({ prices: Type.Array(priceView) });
