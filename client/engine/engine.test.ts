import { afterEach, describe, expect, it } from 'vitest';
import { limits, MIB } from '../../shared/limits.ts';
import type { PartMask } from '../../shared/model.ts';
import type { VerdictMessage } from '../../shared/protocol.ts';
import { record, type Script } from './testing/coordinator.ts';
import { partContent } from './testing/workload.ts';
import { allOpened, closeWorlds, first, storedTiles, until, verdictOn, world } from './testing/world.ts';

afterEach(closeWorlds);

describe('the ordinary way', () => {
  it('computes every tile once and hands it in', async () => {
    const { coordinator, engine, work, modes, tiles, parts, last } = await world({});
    coordinator.addJob('a', 7, new Uint8Array(100).fill(3));
    engine.start();
    await until(() => storedTiles(coordinator).length === 7, 'seven tiles');
    await until(() => last().waiting, 'waiting for more work');
    await until(() => allOpened(coordinator), 'all to be opened');
    // Snapshots are published some time after what they tell.
    await until(() => last().tiles.handedIn === 7, 'a snapshot that tells of all');
    expect(coordinator.openings).toBe(7);
    expect(modes).toEqual(['connecting', 'working']);
    expect(work.log.filter((line) => line.startsWith('open'))).toEqual(['open a with 100 bytes']);
    expect(work.computed).toHaveLength(28);
    expect(parts).toHaveLength(28);
    expect(parts[0]!.bytes).toEqual(partContent(parts[0]!.at.tile, parts[0]!.part, 16));
    expect(tiles.filter(({ step }) => step === 'begun')).toHaveLength(7);
    expect(tiles.filter(({ step }) => step === 'handedIn')).toHaveLength(7);
    expect(last()).toMatchObject({ online: true, earnedMicroCredits: '7', vestingMicroCredits: '3', record });
    expect(last().tiles).toEqual({ handedIn: 7, accepted: 0, refuted: 0, discarded: 0 });
    expect(coordinator.greetings[0]).not.toHaveProperty('trusted');
    expect(last().device).toMatchObject({ vendor: 'fake', backend: 'test', software: false });
  });

  it('does parts of one tile that it was leased one by one as work of their own, and gives none of them back', async () => {
    const { coordinator, engine, work, last } = await world({ inParts: true, grantMax: 4 });
    const job = coordinator.addJob('a', 2);
    engine.start();
    await until(() => storedTiles(coordinator).length === 2, 'two tiles');
    await until(() => last().tiles.handedIn === 8, 'the last acknowledgement');
    expect(coordinator.tokensOf(job)).toHaveLength(8);
    expect(coordinator.givenBack).toEqual([]);
    expect(work.computed).toHaveLength(8);
    const judged = [1, 2, 4, 8].map((parts) => verdictOn(job, 0, { verdict: parts === 4 ? 'discarded' : 'accepted', parts: parts as PartMask }));
    for (const verdict of judged) coordinator.fact('verdicts', [verdict]);
    // All four are of the tile that the discarded one is of.
    await until(() => last().tiles.discarded === 4, 'the verdicts');
    expect(last().tiles).toEqual({ handedIn: 8, accepted: 0, refuted: 0, discarded: 4 });
  });

  it('says how long it gets nothing after it kept others waiting', async () => {
    const script: Script = { restMs: 5000 };
    const { coordinator, engine, last } = await world(script);
    engine.start();
    await until(() => last()?.waiting && last().restMs > 4000, 'the rest');
    expect(last().restMs).toBeLessThanOrEqual(5000);
    script.restMs = 0;
    coordinator.addJob('a', 1);
    await until(() => last().tiles.handedIn === 1, 'the tile');
    expect(last().restMs).toBe(0);
  });

  it('opens the next job while the first one runs', async () => {
    const { coordinator, engine, work } = await world({ grantMax: 2 }, { slicesPerPart: 10, sliceMs: 5 });
    coordinator.addJob('a', 1, new Uint8Array(10));
    coordinator.addJob('b', 1, new Uint8Array(20));
    engine.start();
    await until(() => work.log.includes('run b/0 parts 0123'), 'job b at work');
    const openedB = work.log.indexOf('open b with 20 bytes');
    expect(openedB).toBeGreaterThan(-1);
    // `b` was open before the first part of `a`, 50 ms long, could have been finished four times over.
    expect(work.log.indexOf('run b/0 parts 0123')).toBeGreaterThan(openedB);
    expect(work.log.slice(0, 3).toSorted()).toEqual(['open a with 10 bytes', 'open b with 20 bytes', 'run a/0 parts 0123']);
  });

  it('counts verdicts, and tells what they took back', async () => {
    const { coordinator, engine, last, tiles } = await world({});
    const job = coordinator.addJob('a', 3);
    engine.start();
    await until(() => last()?.tiles.handedIn === 3, 'three tiles');
    const judge = (tile: number, verdict: VerdictMessage['verdict'], voidedMicroCredits = '0'): void =>
      coordinator.fact('verdicts', [verdictOn(job, tile, { verdict, voidedMicroCredits, reason: `the ${verdict} reason` })]);
    judge(0, 'accepted');
    judge(1, 'discarded');
    judge(2, 'refuted', '20');
    await until(() => last().tiles.refuted === 1, 'the last verdict');
    expect(last()).toMatchObject({ earnedMicroCredits: '12', vestingMicroCredits: '4', voidedMicroCredits: '20' });
    expect(last().tiles).toEqual({ handedIn: 3, accepted: 1, refuted: 1, discarded: 1 });
    expect(tiles.filter(({ step }) => step === 'discarded')).toMatchObject([{ reason: 'the discarded reason', voidedMicroCredits: '0' }]);
    expect(tiles.filter(({ step }) => step === 'refuted')).toMatchObject([{ reason: 'the refuted reason', voidedMicroCredits: '20' }]);
  });

  it('puts large results and openings to /blobs with the token of the lease', async () => {
    const elements = limits.inlineResultBytesMax / 4;
    const { coordinator, engine } = await world({ drawn: Array.from({ length: 500 }, (_, index) => index * 16) }, { elements });
    coordinator.addJob('a', 1);
    engine.start();
    await until(() => storedTiles(coordinator, elements).length === 1 && allOpened(coordinator), 'the tile and its opening');
    expect(coordinator.blobRequests).toHaveLength(2);
    for (const request of coordinator.blobRequests) expect(request).toMatch(/^PUT [0-9a-f]{64} Lease t0{39}1$/);
  });

  it('says the operator’s key', async () => {
    const { coordinator, engine, last } = await world({}, {}, { trusted: 'the key' });
    engine.start();
    await until(() => last()?.mode === 'working', 'working');
    expect(coordinator.greetings[0]).toMatchObject({ trusted: 'the key' });
  });

  it('gives back what there is no consent for', async () => {
    const { coordinator, engine, work } = await world({});
    coordinator.addJob('other', 1, null, 'mining');
    engine.start();
    await until(() => coordinator.givenBack.length > 0, 'the lease to come back');
    expect(work.log).toEqual([]);
  });
});

describe('asking ahead', () => {
  it('is for what the line needs, once the time of a tile is known', async () => {
    const asked: number[] = [];
    const script: Script = { grantMax: 64, onWork: (leasesMax) => asked.push(leasesMax), onHandIn: ({ leasesMax }) => asked.push(leasesMax) > 0 };
    const { coordinator, engine } = await world(script, { sliceMs: 80 });
    coordinator.addJob('a', 3);
    engine.start();
    await until(() => coordinator.handIns === 1, 'the first tile');
    asked.length = 0;
    await until(() => coordinator.handIns === 3, 'all tiles');
    // Four parts of 80 ms each: five tiles are a second and a round trip of next to nothing.
    expect(Math.max(...asked)).toBeGreaterThanOrEqual(3);
    expect(Math.max(...asked)).toBeLessThanOrEqual(6);
  });

  it('is for as much as may be at the beginning, when only the coordinator knows', async () => {
    const asked: number[] = [];
    const { coordinator, engine, last } = await world({ onWork: (leasesMax) => asked.push(leasesMax) });
    coordinator.addJob('a', 1);
    engine.start();
    await until(() => last()?.tiles.handedIn === 1, 'the tile');
    expect(asked[0]).toBe(64);
  });
});

describe('back-pressure', () => {
  it('stops computing when results cannot be delivered, and goes on when they can', async () => {
    let isStuck = true;
    const { coordinator, engine, work } = await world({ grantMax: 64, onHandIn: () => !isStuck }, { sliceMs: 0 });
    coordinator.addJob('a', 64);
    engine.start();
    await until(() => work.computed.length >= 48 * 4, 'a full queue');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(work.computed).toHaveLength(48 * 4);
    isStuck = false;
    await until(() => storedTiles(coordinator).length === 64, 'all tiles', 15_000);
  });

  it('stops computing when nothing can be opened, too', async () => {
    let isStuck = true;
    const { coordinator, engine, work } = await world({ grantMax: 64, onOpen: () => !isStuck }, { sliceMs: 0 });
    coordinator.addJob('a', 96);
    engine.start();
    await until(() => work.computed.length >= 48 * 4, 'a full queue');
    await new Promise((resolve) => setTimeout(resolve, 200));
    // Hand-ins that were still on their way when the last ones were opened in vain, 32 at most, and the tile at work.
    expect(work.computed.length).toBeLessThanOrEqual((48 + 33) * 4);
    isStuck = false;
    await until(() => coordinator.stored.size === 96 && allOpened(coordinator), 'all tiles', 15_000);
  });
});

describe('leases that end', () => {
  it('drops what the coordinator takes back', async () => {
    const { coordinator, engine, work, tiles, last } = await world({ grantMax: 2 }, { slicesPerPart: 20, sliceMs: 5 });
    const job = coordinator.addJob('a', 2);
    engine.start();
    await until(() => last()?.current !== null && last() !== undefined, 'a tile at work');
    coordinator.fact('leases:void', { tokens: coordinator.tokensOf(job), reason: 'The job was cancelled.' });
    await until(() => tiles.filter(({ step }) => step === 'dropped').length === 2, 'both to be dropped');
    const { slices } = work;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(work.slices).toBeLessThanOrEqual(slices + 1);
    expect(coordinator.stored.size).toBe(0);
    expect(last().mode).toBe('working');
  });

  it('gives a lease back when its result is refused, and goes on with others', async () => {
    const refused = { error: { code: 'conflict', message: 'Somebody else has finished this tile already.' } } as const;
    let first = '';
    const { coordinator, engine, tiles } = await world({
      grantMax: 1,
      onHandIn: ({ token }) => {
        first ||= token;
        return token === first ? refused : true;
      },
    });
    coordinator.addJob('a', 3);
    engine.start();
    await until(() => storedTiles(coordinator).length === 3, 'all tiles, the first one under a second lease');
    expect(coordinator.givenBack).toEqual([first]);
    expect(tiles.filter(({ step }) => step === 'dropped')).toMatchObject([{ reason: refused.error.message }]);
  });

  it('hands in the rest when others were faster with some parts', async () => {
    let isFirst = true;
    const { coordinator, engine, last } = await world({
      onHandIn: () => {
        const answer = isFirst ? { error: { code: 'conflict', message: 'Somebody else has finished parts.', field: 'parts', limit: '10' } as const } : true;
        isFirst = false;
        return answer;
      },
    });
    coordinator.addJob('a', 1);
    engine.start();
    await until(() => coordinator.stored.size === 1 && allOpened(coordinator), 'the two parts that are left');
    // `storedTiles` checks that the total is that of parts 1 and 3, the fake coordinator that the opening is.
    expect(storedTiles(coordinator)).toEqual([]);
    expect(first(coordinator).parts).toBe(10);
    await until(() => last().tiles.handedIn === 1, 'the tile to be done');
    expect(coordinator.givenBack).toEqual([]);
  });

  it('lets go of a tile that others have finished', async () => {
    const limit = { error: { code: 'conflict', message: 'Somebody else has finished parts.', field: 'parts', limit: '0' } } as const;
    const { coordinator, engine, tiles } = await world({ onHandIn: () => limit });
    const job = coordinator.addJob('a', 1);
    engine.start();
    await until(() => tiles.some(({ step }) => step === 'dropped'), 'the tile to be dropped');
    engine.pause();
    await until(() => coordinator.givenBack.includes(coordinator.tokensOf(job)[0]!), 'the lease to come back');
    expect(coordinator.stored.size).toBe(0);
  });

  it('takes no more of a job that cannot run here', async () => {
    const { coordinator, engine, tiles, last } = await world({ grantMax: 1 }, { failOpen: (job) => job.startsWith('j_bad') });
    coordinator.addJob('bad', 1);
    coordinator.addJob('good', 2);
    engine.start();
    await until(() => tiles.some((fact) => fact.step === 'dropped' && fact.reason.includes('more than this GPU has')), 'the refusal');
    await until(() => coordinator.givenBack.length > 0, 'the lease back');
    expect(coordinator.givenBack).toHaveLength(1);
    expect(last().mode).toBe('working');
  });
});

describe('a GPU that is lost', () => {
  it('asks for a new one, halves the slices, and keeps finished parts', async () => {
    const { coordinator, engine, gpu, work } = await world({ grantMax: 1 }, { slicesPerPart: 4, sliceMs: 5 }, { sliceMs: 40 });
    coordinator.addJob('a', 1);
    engine.start();
    await until(() => work.computed.length === 2, 'two parts');
    gpu.lose();
    await until(() => storedTiles(coordinator).length === 1, 'the tile');
    expect(gpu.devices).toBe(2);
    expect(new Set(work.budgetsMs)).toEqual(new Set([20, 10]));
    expect(work.log.filter((line) => line.startsWith('run'))[1]).toMatch(/^run a\/0 parts 2?3$/);
    expect(coordinator.givenBack).toEqual([]);
  });

  it('fails with the reason when there is none any more, and gives the lease back', async () => {
    const { coordinator, engine, gpu, work, last } = await world({ grantMax: 1 }, { slicesPerPart: 4, sliceMs: 5 });
    coordinator.addJob('a', 1);
    engine.start();
    await until(() => work.computed.length === 1, 'a part');
    gpu.gone = true;
    gpu.lose();
    await until(() => last().mode === 'failed', 'the end');
    expect(last().error).toMatchObject({ kind: 'gpu', message: expect.stringContaining('no usable GPU') });
    expect(coordinator.givenBack).toHaveLength(1);
  });

  it('gives up after five losses', async () => {
    const { coordinator, engine, gpu, work, last } = await world({ grantMax: 1 }, { slicesPerPart: 1000, sliceMs: 5 });
    coordinator.addJob('a', 1);
    engine.start();
    for (let loss = 1; loss <= 5; loss++) {
      await until(() => work.log.filter((line) => line.startsWith('run')).length === loss, `run ${loss}`);
      gpu.lose();
    }
    await until(() => last().mode === 'failed', 'the end');
    expect(last().error?.message).toContain('lost 5 times');
  });
});

describe('refusals', () => {
  const refusal = (code: 'stale' | 'forbidden', field?: string) => ({ error: { code, message: `the ${code} message`, ...(field && { field }) } });

  it.each([
    ['stale', refusal('stale'), 'failed', { kind: 'stale', message: expect.stringContaining('Reload') }, null],
    ['suspended', refusal('forbidden'), 'failed', { kind: 'suspended', message: 'the forbidden message' }, null],
    ['no standing consent', refusal('forbidden', 'consent'), 'stopped', null, 'the forbidden message'],
  ] as const)('hello answered with %s', async (_name, answer, mode, error, reason) => {
    const { engine, last, coordinator } = await world({ onHello: () => answer });
    engine.start();
    await until(() => last()?.mode === mode, mode);
    expect(last()).toMatchObject({ error, reason });
    expect(coordinator.workRequests).toBe(0);
  });

  it('says hello again to a coordinator that was busy', async () => {
    let busy = 2;
    const { engine, last, coordinator } = await world({ onHello: () => (busy-- > 0 ? { error: { code: 'busy', message: 'later' } } : null) });
    engine.start();
    await until(() => last()?.mode === 'working', 'working');
    expect(coordinator.hellos).toBe(3);
  });

  it('stops when the consent ends, when another window takes over, and fails when suspended', async () => {
    const first = await world({});
    first.engine.start();
    await until(() => first.last()?.mode === 'working', 'working');
    first.coordinator.fact('consent:ended', { reason: 'The consent was withdrawn.' });
    await until(() => first.last().mode === 'stopped', 'stopped');
    expect(first.last().reason).toBe('The consent was withdrawn.');

    const second = await world({});
    second.engine.start();
    await until(() => second.last()?.mode === 'working', 'working');
    second.coordinator.hangUp();
    await until(() => second.last().mode === 'stopped', 'stopped');
    expect(second.last().reason).toContain('another window');

    const third = await world({ onHandIn: () => refusal('forbidden') });
    third.coordinator.addJob('a', 1);
    third.engine.start();
    await until(() => third.last()?.mode === 'failed', 'failed');
    expect(third.last().error).toEqual({ kind: 'suspended', message: 'the forbidden message' });
  });
});

describe('the cap of a download', () => {
  const input = new Uint8Array(2 * MIB).fill(3);

  it('is told with hello and with every request for work', async () => {
    const { coordinator, engine } = await world({}, {}, { downloadBytesMax: 5 * MIB });
    coordinator.addJob('a', 1);
    engine.start();
    await until(() => coordinator.workRequests > 0, 'a request');
    expect(coordinator.greetings[0]).toMatchObject({ downloadBytesMax: 5 * MIB });
    expect(coordinator.caps[0]).toBe(5 * MIB);
  });

  it('gives back what is larger without downloading it, and does what is not', async () => {
    const { coordinator, engine, work } = await world({}, {}, { downloadBytesMax: MIB });
    const large = coordinator.addJob('large', 1, input);
    coordinator.addAudit(large, [{ tile: 0, part: 0, element: 0 }]);
    coordinator.addJob('small', 2);
    engine.start();
    await until(() => storedTiles(coordinator).length === 2, 'the small job');
    expect(coordinator.blobRequests.filter((line) => line.startsWith('GET'))).toEqual([]);
    expect(coordinator.givenBack.length).toBeGreaterThanOrEqual(2);
    expect(work.log.filter((line) => line.includes('large'))).toEqual([]);
  });

  it('counts identical inputs once, to the byte', async () => {
    const { coordinator, engine, work } = await world({}, {}, { downloadBytesMax: 2 * MIB });
    coordinator.addJob('a', 1, input);
    engine.start();
    await until(() => storedTiles(coordinator).length === 1, 'the tile');
    expect(work.log[0]).toBe(`open a with ${2 * MIB} bytes`);
  });

  it('frees what a job held when it is lowered, gives its tiles back, and tells the coordinator', async () => {
    const { coordinator, engine, work } = await world({ grantMax: 3 }, { slicesPerPart: 5, sliceMs: 10 }, { downloadBytesMax: 4 * MIB });
    const job = coordinator.addJob('a', 3, input);
    engine.start();
    await until(() => work.log.some((line) => line.startsWith('run a/')), 'the first tile');
    engine.setDownloadMax(MIB);
    await until(() => coordinator.caps.at(-1) === MIB, 'the coordinator to be told');
    await until(() => storedTiles(coordinator).length === 1, 'the tile at work');
    const rest = coordinator.tokensOf(job).filter((token) => coordinator.tileOf(token) !== 0);
    await until(() => rest.every((token) => coordinator.givenBack.includes(token)), 'the others to go back');
    await until(() => work.log.includes('dispose a'), 'the job to be closed');
  });

  it('is a whole number within its limits', async () => {
    const { engine } = await world({});
    for (const bytes of [0, MIB - 1, 4096 * MIB + 1, 1.5 * MIB + 0.5, Number.NaN]) expect(() => engine.setDownloadMax(bytes)).toThrow(RangeError);
  });
});
