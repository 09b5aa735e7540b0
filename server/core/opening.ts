import type { WorkloadSpec } from '../../shared/workload.ts';
import type { StoredJob } from '../store/store.ts';
import { adaptivePassesOf } from './adaptive.ts';
import { TileBlocks } from './blocks.ts';
import { inputBytesOf } from './fetching.ts';
import { isFree, recordNameOf, requesterTag } from './offer.ts';
import { meanUnits } from './pricing.ts';
import type { Block, Event, Job, State } from './state.ts';
import { noteOrder } from './traffic.ts';
import { openTurn, placeOf, takeTurn } from './turns.ts';

/** Undefined where the workload is not installed in the version that the job was ordered with. */
export const specOf = ({ config }: State, { workload, version }: StoredJob): WorkloadSpec | undefined => {
  const spec = config.spec(workload);
  return spec?.version === version ? spec : undefined;
};

export const notInstalled = ({ workload, version }: StoredJob): Event[] => [
  { type: 'refused', code: 'stale', message: `Workload ${workload} version ${version} is not installed.` },
];

/** Makes a job that nothing has been done of, and puts it among the open ones. `share`: what is claimed of it; null where it is here as a whole. */
export function newJob(state: State, stored: StoredJob, spec: WorkloadSpec, share: Block[] | null, now: number): Job {
  const context = { id: stored.id, seed: stored.seed, params: stored.params, prepared: stored.prepared };
  const grid = spec.split(stored.params, stored.prepared);
  const partsAt = (tile: number): number => spec.parts(context, { pass: Math.floor(tile / grid.tiles), tile: tile % grid.tiles });
  const adaptivePasses = adaptivePassesOf(spec, context, grid);
  const blocks = new TileBlocks(grid, partsAt, adaptivePasses, share !== null, () => takeTurn(state, job));
  let partsOfTile = 0;
  for (let pass = 0; pass < grid.passes; pass++) partsOfTile += partsAt(pass * grid.tiles);
  const tilesHere = (): number => share?.reduce((sum, { count }) => sum + count, 0) ?? grid.tiles;
  const job: Job = {
    stored,
    share,
    get checksHeld() {
      return share?.reduce((sum, { checksHeld }) => sum + checksHeld, 0n) ?? stored.checksHeld;
    },
    spec,
    record: recordNameOf(stored),
    requester: requesterTag(state.config.drawKey, stored.owner),
    context,
    grid,
    unitsPerPart: meanUnits(spec, context, grid),
    blocks,
    adaptivePasses,
    measurements: new Map(),
    inputBytes: inputBytesOf(stored),
    fetchedBy: new Set(),
    partsPlanned: partsOfTile * grid.tiles,
    get partsTotal() {
      return partsOfTile * tilesHere() - blocks.waived;
    },
    partsAccepted: 0,
    milestone: 0,
    partsChecking: 0,
    partsLeased: 0,
    paid: 0n,
    paidForAudits: 0n,
    promisedForAudits: 0n,
    elements: { cpu: 0, trusted: 0, contributor: 0 },
    refuted: 0,
    revoked: 0,
    errorSum: 0,
    undecided: 0,
    contributors: new Set(),
    get turn() {
      return turn;
    },
    leases: new Set(),
    handedIn: new Map(),
    trustedQuestions: [],
    closing: stored.closing,
    paused: stored.paused,
    rate: 0,
    rateAtMs: now,
    pace: null,
  };
  const turn = placeOf(state, job);
  openTurn(state, job);
  if (!stored.gallery && !isFree(job)) noteOrder(state, partsOfTile * grid.tiles * job.unitsPerPart, stored.createdMs);
  return job;
}
