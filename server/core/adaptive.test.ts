import { beforeEach, describe, expect, it } from 'vitest';
import { type ContributorId, countParts, fullMask, type JobId, type PartMask, type TileRef } from '../../shared/model.ts';
import type { StoredJob, StoredResult } from '../store/store.ts';
import { TileBlocks } from './blocks.ts';
import { describeJob } from './ending.ts';
import { Desk, owner, PARTS, storedJob } from './testing.ts';

/** Three tiles of four adaptive passes and one behind them; every part earns 1000. */
const shape = { passes: 5, tiles: 3, adaptive: 4 };
const PLANNED = shape.passes * shape.tiles * PARTS;
const work = BigInt(PLANNED) * 1000n;
const job: StoredJob = {
  ...storedJob,
  params: shape,
  workHeld: work,
  checksHeld: 1000n,
  heldFrom: [{ account: `${owner}/grant`, microCredits: work + 1000n }],
};
const id = job.id as JobId;

let desk: Desk;
let worker: ContributorId;
/** Passes that each tile wants. */
let wants: number[];
let helpers = 0;

beforeEach(() => {
  desk = new Desk(job);
  // Believed, so that nothing is drawn and all of a tile is leased at once.
  worker = desk.join('worker', { trusted: true });
  wants = [0.3, 2.5, Number.POSITIVE_INFINITY];
});

const wanted = ({ at }: StoredResult): number => wants[at.tile]!;
const openJob = () => desk.state.jobs.get(id);

/** All leases that there are, each by a believed contributor of its own. */
function leaseAll(): { at: TileRef; token: string }[] {
  const leases: { at: TileRef; token: string }[] = [];
  for (;;) {
    const [lease] = desk.ask(desk.join(`helper${helpers++}`, { trusted: true }), 1).leases;
    if (!lease) return leases;
    leases.push(lease);
  }
}

/** Leases one round after the other, hands each in and has it measured. Returns the passes that each tile got, in order. */
function run(who: ContributorId): number[][] {
  const got: number[][] = Array.from({ length: shape.tiles }, () => []);
  for (;;) {
    const { leases } = desk.ask(who, 1);
    if (leases.length === 0) return got;
    for (const { at, token } of leases) {
      got[at.tile]!.push(at.pass);
      desk.handIn(token);
    }
    desk.measure(wanted);
  }
}

describe('adaptive passes', () => {
  it('run while their tile wants more, and those behind them always', () => {
    const got = run(worker).map((passes) => passes.toSorted());
    expect(got).toEqual([
      [0, 4],
      [0, 1, 2, 4],
      [0, 1, 2, 3, 4],
    ]);
    expect(openJob()).toBeUndefined();
    const waived = (3 + 1) * PARTS;
    expect(desk.ended).toMatchObject([{ status: 'done', summary: { parts: { total: PLANNED - waived, accepted: PLANNED - waived, waived } } }]);
  });

  it('cost nothing when they are left out: exactly their money goes back, and the books sum to zero', () => {
    run(worker);
    const waived = BigInt((3 + 1) * PARTS) * 1000n;
    expect(desk.sum('vesting/')).toBe(work - waived);
    expect(desk.sum(`${owner}/grant`)).toBe(waived + 1000n);
    expect(desk.sum(`job/${id}`)).toBe(-(work + 1000n));
    expect(desk.transfers.filter(({ kind }) => kind === 'refund')).toHaveLength(1);
  });

  it('are never leased before all of the pass before them is accepted and measured', () => {
    wants = [9, 9, 9];
    const first = leaseAll();
    expect(first.filter(({ at }) => at.pass > 0 && at.pass < 4)).toEqual([]);
    const [a, b] = first.filter(({ at }) => at.pass === 0 && at.tile < 2);
    desk.handIn(a!.token);
    expect(leaseAll()).toEqual([]);
    desk.measure(wanted);
    expect(leaseAll().map(({ at }) => at)).toEqual([{ pass: 1, tile: a!.at.tile }]);
    desk.handIn(b!.token);
    desk.measure(() => null);
    expect(leaseAll().map(({ at }) => at)).toEqual([{ pass: 1, tile: b!.at.tile }]);
  });

  it('tell who waits that there is work again', () => {
    wants = [9, 9, 9];
    const first = leaseAll();
    const idle = desk.join('idle', { trusted: true });
    expect(desk.ask(idle).leases).toEqual([]);
    desk.handIn(first[0]!.token);
    const [result] = desk.measures.splice(0);
    const events = desk.do({ type: 'measured', result: result!, passesWanted: 9 });
    expect(events).toContainEqual({ type: 'workAvailable', contributors: expect.arrayContaining([idle]) });
  });

  it('go by the mean over the accepted results of the passes before, weighted by their parts', () => {
    // A newcomer gets one part at a time: its tile's first pass is two results.
    const slow = desk.join('slow');
    const part = desk.deliver(slow);
    expect(countParts(desk.rows.get(part)!.parts)).toBe(1);
    const { tile } = desk.rows.get(part)!.at;
    const before = leaseAll();
    desk.handIn(before.find(({ at }) => at.tile === tile && at.pass === 0)!.token);
    // (1 x 4 + 3 x 0.1) / 4 > 1, though most parts say less.
    desk.measure(({ parts }) => (countParts(parts) === 1 ? 4 : 0.1));
    expect(leaseAll().map(({ at }) => at)).toEqual([{ pass: 1, tile }]);
  });

  it('run to the end on a tile that cannot be measured', () => {
    for (;;) {
      const { leases } = desk.ask(worker, 1);
      if (leases.length === 0) break;
      desk.handIn(leases[0]!.token);
      desk.measure(() => null);
    }
    expect(desk.ended).toMatchObject([{ summary: { parts: { total: PLANNED, accepted: PLANNED, waived: 0 } } }]);
    expect(desk.rows.values().next().value).toMatchObject({ passesWanted: Number.POSITIVE_INFINITY });
  });

  it('count a measurement once, whoever repeats it', () => {
    const { leases } = desk.ask(worker, 1);
    desk.handIn(leases[0]!.token);
    const [result] = desk.measures.splice(0);
    desk.do({ type: 'measured', result: result!, passesWanted: 0.3 });
    const { partsTotal } = openJob()!;
    expect(partsTotal).toBe(PLANNED - 3 * PARTS);
    for (const passesWanted of [0.3, 7, null]) expect(desk.do({ type: 'measured', result: result!, passesWanted })).toEqual([]);
    expect(openJob()!.partsTotal).toBe(partsTotal);
  });

  it('are shown to pages as they are left out', () => {
    const { leases } = desk.ask(worker, 1);
    desk.handIn(leases[0]!.token);
    desk.measure(wanted);
    const view = describeJob(job, openJob(), { passes: 5, tiles: 3 }, { mine: true, left: null, retentionMs: 1 });
    expect(view.parts).toEqual({ total: PLANNED - 3 * PARTS, accepted: PARTS, checking: 0, leased: 0, waived: 3 * PARTS });
  });
});

describe('a restart in the middle', () => {
  it('comes to the same passes and the same money, and measures again what was not stored', () => {
    const got: number[][] = [[], [], []];
    for (let round = 0; round < 40 && openJob(); round++) {
      const { leases } = desk.ask(worker, 1);
      for (const { at, token } of leases) {
        got[at.tile]!.push(at.pass);
        desk.handIn(token);
      }
      // Every other time it is killed before the measurement is stored.
      const before = openJob()?.partsTotal;
      if (round % 2 === 0) desk.measure(wanted);
      const after = openJob()?.partsTotal;
      if (!openJob()) break;
      desk.restart(job);
      if (round % 2 === 0) expect([before !== undefined, openJob()!.partsTotal]).toEqual([true, after]);
      desk.measure(wanted);
      worker = desk.join('worker', { trusted: true });
    }
    expect(got.map((passes) => passes.toSorted())).toEqual([
      [0, 4],
      [0, 1, 2, 4],
      [0, 1, 2, 3, 4],
    ]);
    expect(desk.ended).toHaveLength(1);
    expect(desk.sum('vesting/')).toBe(work - BigInt(4 * PARTS) * 1000n);
    expect(desk.sum(`job/${id}`)).toBe(-(work + 1000n));
  });

  it('leaves nothing that was left out to a lease of before', () => {
    const before = leaseAll().find(({ at }) => at.pass === 0)!;
    desk.handIn(before.token);
    desk.measure(() => 0.5);
    expect(openJob()!.blocks.turn(before.at.tile)).toBe(1);
    desk.restart(job);
    expect(openJob()!.partsTotal).toBe(PLANNED - 3 * PARTS);
    expect(leaseAll().filter(({ at }) => at.tile === before.at.tile && at.pass > 0 && at.pass < 4)).toEqual([]);
  });
});

describe('a proven liar', () => {
  /** Delivers the first pass of every tile as somebody with a record, whose results say that they are good enough. */
  function deliverFirstPasses(who: ContributorId): void {
    for (;;) {
      const { leases } = desk.ask(who, 1);
      if (leases.length === 0 || leases[0]!.at.pass > 0) {
        desk.do({ type: 'giveBack', contributor: who, tokens: leases.map(({ token }) => token), unopened: [] });
        return;
      }
      const { result } = desk.handIn(leases[0]!.token);
      desk.open(who, result);
      for (let round = 0; round < 10 && desk.rows.get(result)!.state === 'committed'; round++) {
        desk.answer();
        desk.answerAudits();
      }
      desk.measure(() => 0.5);
    }
  }

  it('takes its word with it: the passes that it had made superfluous come back, and the money for them is there', () => {
    const liar = desk.join('liar');
    desk.do({ type: 'leave', contributor: worker });
    deliverFirstPasses(liar);
    expect(openJob()!.partsTotal).toBe(PLANNED - 9 * PARTS);
    expect(openJob()!.partsAccepted).toBe(3 * PARTS);
    const [lease] = desk.ask(liar, 1).leases;
    expect(lease?.at.pass).toBe(4);
    const { result } = desk.handIn(lease!.token);
    desk.open(liar, result);
    desk.answer(() => 40);
    expect(desk.rows.get(result)!.state).toBe('refuted');
    expect(desk.revoked.length).toBeGreaterThan(0);
    expect(openJob()).toMatchObject({ partsTotal: PLANNED, partsAccepted: 0, paid: 0n });
    worker = desk.join('worker', { trusted: true });
    expect(run(worker).map((passes) => passes.toSorted())).toEqual([
      [0, 4],
      [0, 1, 2, 4],
      [0, 1, 2, 3, 4],
    ]);
    expect(desk.ended).toHaveLength(1);
    expect(desk.sum('vesting/c_worker')).toBe(work - BigInt(4 * PARTS) * 1000n);
    expect(desk.sum('vesting/c_liar')).toBe(0n);
    expect(desk.sum(`job/${id}`)).toBe(-(work + 1000n));
  });

  it('leaves a lease of a pass that is shut meanwhile, which is accepted and paid, and ends the job with it', () => {
    wants = [1.5, 0, 0];
    const liar = desk.join('liar');
    // One part of the first pass is the liar's, and because of it a second pass is wanted.
    const stolen = desk.deliver(liar);
    desk.measure(() => 9);
    const { tile } = desk.rows.get(stolen)!.at;
    for (const { token } of leaseAll()) desk.handIn(token);
    desk.measure(() => 0.5);
    const second = desk.ask(worker, 1).leases;
    expect(second.map(({ at }) => at)).toEqual([{ pass: 1, tile }]);
    desk.do({ type: 'leave', contributor: worker });
    refuteNext(liar);
    // Its part is computed again, by somebody who says that one pass is enough.
    const honest = desk.join('honest', { trusted: true });
    const [again] = desk.ask(honest, 1).leases;
    expect(again?.at).toEqual({ pass: 0, tile });
    desk.handIn(again!.token);
    desk.measure(() => 0.5);
    for (const { token } of leaseAll()) desk.handIn(token);
    // Of the shut pass what is leased is still wanted, so that the job waits for it.
    expect(openJob()!.partsTotal).toBe(PLANNED - 3 * 3 * PARTS + PARTS);
    desk.handIn(second[0]!.token);
    expect(desk.ended).toMatchObject([
      { status: 'done', summary: { parts: { accepted: PLANNED - 8 * PARTS, total: PLANNED - 8 * PARTS, waived: 8 * PARTS } } },
    ]);
    expect(desk.sum('vesting/')).toBe(BigInt(PLANNED - 8 * PARTS) * 1000n);
    expect(desk.sum(`job/${id}`)).toBe(-(work + 1000n));
  });

  /** A further result of somebody is found to be wrong. */
  function refuteNext(liar: ContributorId): void {
    desk.do({ type: 'openJob', job: { ...storedJob, id: 'j_bait000000000000' as JobId }, results: [], paid: 0n });
    const [lease] = desk.ask(liar, 1).leases;
    const { result } = desk.handIn(lease!.token);
    desk.open(liar, result);
    desk.answer(() => 40);
    if (desk.rows.get(result)!.state === 'committed') desk.answerAudits(liar);
    desk.answer(() => 40);
    expect(desk.rows.get(result)!.state).toBe('refuted');
    desk.do({ type: 'cancelJob', job: 'j_bait000000000000' as JobId });
    desk.ended.length = 0;
  }
});

describe('blocks with adaptive passes', () => {
  it('offer a million tiles in turn without looking at them again and again', () => {
    const [passes, tiles] = [10, 100_000];
    const blocks = new TileBlocks(
      { passes, tiles },
      () => 1,
      Array.from({ length: passes - 1 }, (_, pass) => pass),
    );
    const one = fullMask(1);
    const started = performance.now();
    let taken = 0;
    for (let number = blocks.peek(); number !== undefined; number = blocks.peek()) {
      const [pass, tile] = [Math.floor(number / tiles), number % tiles];
      expect(pass === 0 || pass === 9 || pass < blocks.turn(tile)).toBe(true);
      blocks.lease(number, one);
      blocks.hold(number, one);
      blocks.unlease(number, one);
      blocks.accept(number, one);
      taken++;
      // Odd tiles are good enough after one pass, the others need four.
      if (pass < 8) blocks.setTurn(tile, tile % 2 === 1 || pass === 3 ? pass + 1 : pass + 2, tile % 2 === 1 || pass === 3);
    }
    expect(taken).toBe(tiles + (tiles / 2) * (1 + 4));
    expect(blocks.waived).toBe(passes * tiles - taken);
    // 350,000 offers of a million numbers; scans over what is shut would take minutes.
    expect(performance.now() - started).toBeLessThan(20_000);
  });

  it('count what is waived through every change of a shut pass', () => {
    const all = 15 as PartMask;
    const blocks = new TileBlocks({ passes: 3, tiles: 2 }, () => 4, [0, 1, 2]);
    expect(blocks.setTurn(0, 2, false)).toBe(true);
    blocks.lease(2, 3 as PartMask);
    expect(blocks.setTurn(0, 1, true)).toBe(false);
    expect(blocks.waived).toBe(4 + 2);
    expect(blocks.free(2)).toBe(0);
    blocks.hold(2, 1 as PartMask);
    blocks.unlease(2, 3 as PartMask);
    expect(blocks.waived).toBe(4 + 3);
    blocks.accept(2, 1 as PartMask);
    expect(blocks.waived).toBe(4 + 3);
    blocks.revoke(2, 1 as PartMask);
    expect(blocks.waived).toBe(8);
    blocks.setTurn(0, 1, false);
    expect([blocks.waived, blocks.free(2), blocks.free(4)]).toEqual([0, 0, 0]);
    blocks.setTurn(0, 3, false);
    expect([blocks.free(2), blocks.free(4), blocks.free(3)]).toEqual([all, all, 0]);
  });
});
