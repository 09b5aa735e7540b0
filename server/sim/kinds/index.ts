import type { Adversary } from '../adversary.ts';
import { adversary as always } from './always.ts';
import { adversary as blur } from './blur.ts';
import { adversary as cartel } from './cartel.ts';
import { adversary as colludingAuditor } from './colluding-auditor.ts';
import { adversary as colludingRequester } from './colluding-requester.ts';
import { adversary as copy } from './copy.ts';
import { adversary as fewerSamples } from './fewer-samples.ts';
import { adversary as hitAndRun } from './hit-and-run.ts';
import { adversary as honestWhereAudited } from './honest-where-audited.ts';
import { adversary as lowPrecision } from './low-precision.ts';
import { adversary as mismatch } from './mismatch.ts';
import { adversary as neverOpened } from './never-opened.ts';
import { adversary as noBytes } from './no-bytes.ts';
import { adversary as patch } from './patch.ts';
import { adversary as patient } from './patient.ts';
import { adversary as sleeper } from './sleeper.ts';
import { adversary as small } from './small.ts';
import { adversary as sometimes } from './sometimes.ts';
import { adversary as whitewash } from './whitewash.ts';
import { adversary as wolf } from './wolf.ts';

/** Every kind of liar that the benchmark knows, by the name it has on the command line. */
export const kinds: Readonly<Record<string, Adversary>> = {
  always,
  sleeper,
  sometimes,
  patch,
  small,
  'fewer-samples': fewerSamples,
  'low-precision': lowPrecision,
  blur,
  copy,
  'honest-where-audited': honestWhereAudited,
  'colluding-auditor': colludingAuditor,
  cartel,
  'colluding-requester': colludingRequester,
  wolf,
  whitewash,
  'no-bytes': noBytes,
  mismatch,
  'never-opened': neverOpened,
  'hit-and-run': hitAndRun,
  patient,
};
