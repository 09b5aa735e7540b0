import { type Static, Type } from 'typebox';

/** What crosses a wire between the wall of a room and the process that runs the room (`npm run room`), by way of the coordinator. Part of schemas.ts, which exports it. */

const closed = { additionalProperties: false } as const;

/** More of them than of all others together would be another demonstration. */
export const LIARS_PERCENT_MAX = 50;
const liarsPercent = Type.Integer({ minimum: 0, maximum: LIARS_PERCENT_MAX });
export const roomChange = Type.Object({ liarsPercent }, closed);
export type RoomChange = Static<typeof roomChange>;
export const roomView = Type.Object({
  /** Where people join with their own devices; null: nobody else can. */
  joinUrl: Type.Union([Type.String({ maxLength: 300 }), Type.Null()]),
  /** How many of all that are here shall be planted liars, in percent. */
  liarsPercent,
  /** Planted liars that are here now, and those that were found out so far. */
  liars: Type.Integer(),
  liarsFound: Type.Integer(),
  /** How often the coordinator was killed, and how long the last time took until it was back; null: it was never. */
  kills: Type.Integer(),
  backAfterMs: Type.Union([Type.Number(), Type.Null()]),
  /** Who made the picture to compare with; null: there is none. */
  referenceBy: Type.Union([Type.String({ maxLength: 100 }), Type.Null()]),
  /** What an hour of the reference GPU is taken to cost where one rents it, in US dollars. */
  gpuHourUsd: Type.Number(),
});
export type RoomView = Static<typeof roomView>;
