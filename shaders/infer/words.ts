import { wordsOfPart } from '../../shared/formats.ts';
import type { PartMask, TileRef } from '../../shared/model.ts';
import { piecesOf } from './grid.ts';
import type { InferJob } from './params.ts';
import { spec } from './spec.ts';

/** The words of a result, see `wordsOfOutput`. Throws `FormatError` for another's. */
export const wordsOfResult = (job: InferJob, at: TileRef, parts: PartMask, result: Uint8Array): Uint32Array =>
  wordsOfPart(result, parts, spec.elements(job, at), piecesOf(job).words);
