import { afterEach, describe, expect, it } from 'vitest';
import type { Script } from './testing/coordinator.ts';
import { elementContent } from './testing/workload.ts';
import { allOpened, closeWorlds, first, until, verdictOn, world } from './testing/world.ts';

/** What an engine does so that results can be checked: it opens its own, and recomputes elements of others'. */

afterEach(closeWorlds);

describe('openings', () => {
  it('are repeated until they are acknowledged', async () => {
    let lost = 0;
    const { coordinator, engine, last } = await world({
      onOpen: (_message, socket) => {
        if (lost++ > 0) return true;
        socket.conn.close();
        return false;
      },
    });
    coordinator.addJob('a', 1);
    engine.start();
    await until(() => coordinator.openings === 2, 'the opening a second time');
    await until(() => last().online, 'the connection');
    expect(coordinator.hellos).toBe(2);
    expect(first(coordinator).opened).toEqual([1, 2, 11]);
    expect(coordinator.unopened).toEqual([]);
  });

  it('are made after a restart of the coordinator, which names what it waits for', async () => {
    let isDeaf = true;
    const { coordinator, engine } = await world({ onOpen: () => (isDeaf ? { error: { code: 'busy', message: 'later' } } : true) });
    coordinator.addJob('a', 1);
    engine.start();
    await until(() => coordinator.openings > 0, 'a first attempt');
    await coordinator.stop();
    // Another draw, which the opening on its way does not answer.
    first(coordinator).wanted = [5];
    isDeaf = false;
    await coordinator.start();
    await until(() => allOpened(coordinator), 'the opening');
    expect(first(coordinator).opened).toEqual([5]);
    expect(coordinator.unopened).toEqual([]);
  });

  it('are made of a result whose acknowledgement was lost, instead of giving it back', async () => {
    let lost = 0;
    const { coordinator, engine } = await world({
      onHandIn: (_message, socket) => {
        if (lost++ > 0) return true;
        // Stored a moment later, so that the next welcome names a result that this engine has never heard of.
        setTimeout(() => socket.conn.close(), 20);
        return false;
      },
    });
    coordinator.addJob('a', 1);
    engine.start();
    await until(() => allOpened(coordinator), 'the opening');
    expect(coordinator.hellos).toBe(2);
    expect(coordinator.handIns).toBe(2);
    expect(coordinator.unopened).toEqual([]);
  });

  it('are made again when more is asked for, and forgotten with the verdict', async () => {
    const { coordinator, engine, last } = await world({});
    const job = coordinator.addJob('a', 1);
    engine.start();
    await until(() => allOpened(coordinator), 'the opening');
    const { id, opened } = first(coordinator);
    coordinator.askToOpen(id, [0, 7, 15]);
    await until(() => opened.length === 6, 'the second opening');
    coordinator.fact('verdicts', [verdictOn(job, 0)]);
    await until(() => last().tiles.accepted === 1, 'the verdict');
    coordinator.askToOpen(id, [3]);
    await until(() => coordinator.unopened.length === 1, 'the result back');
    expect(coordinator.unopened).toEqual([id]);
    expect(coordinator.openings).toBe(2);
  });

  it('of what another life of this contributor handed in are given back', async () => {
    const before = await world({ onOpen: () => ({ error: { code: 'busy', message: 'later' } }) });
    before.coordinator.addJob('a', 1);
    before.engine.start();
    await until(() => before.coordinator.openings > 0, 'an opening in vain');
    await before.coordinator.stop();
    await before.engine.stop();
    await before.coordinator.start();
    const { engine } = await world({}, {}, { origin: before.coordinator.origin });
    engine.start();
    await until(() => before.coordinator.unopened.length > 0, 'the result back');
    expect(before.coordinator.unopened).toEqual([first(before.coordinator).id]);
  });

  it('that are refused are not tried again', async () => {
    const { coordinator, engine, last } = await world({ onOpen: () => ({ error: { code: 'bad_input', message: 'not what was committed' } }) });
    coordinator.addJob('a', 1);
    engine.start();
    await until(() => coordinator.unopened.length > 0, 'the result back');
    expect(coordinator.openings).toBe(1);
    expect(last().mode).toBe('working');
  });

  it('are not kept for what is taken as it is', async () => {
    const { coordinator, engine, last } = await world({ drawn: [] });
    coordinator.addJob('a', 1);
    engine.start();
    await until(() => last()?.tiles.handedIn === 1, 'the tile');
    coordinator.askToOpen(first(coordinator).id, [0]);
    await until(() => coordinator.unopened.length > 0, 'the result back');
    expect(coordinator.openings).toBe(0);
  });
});

describe('audits', () => {
  const elements = [
    { tile: 40, part: 2, element: 9 },
    { tile: 3, part: 0, element: 0 },
  ];
  const values = Uint32Array.from(elements, ({ tile, part, element }) => elementContent(tile, part, element));

  it('come before leases, and their answers are repeated until acknowledged', async () => {
    let busy = 2;
    const { coordinator, engine, work, last } = await world({ onAnswer: () => (busy-- > 0 ? { error: { code: 'busy', message: 'later' } } : true) });
    const job = coordinator.addJob('a', 2);
    const token = coordinator.addAudit(job, elements);
    engine.start();
    await until(() => last()?.audits === 1 && last().tiles.handedIn === 2, 'the answer, and the tiles');
    expect(coordinator.answers).toEqual(new Map([[token, values]]));
    expect(work.log.slice(0, 3)).toEqual(['open a', 'audit a 40.2.9 3.0.0', 'run a/0 parts 0123']);
  });

  it('come between the parts of a tile, which is finished after them', async () => {
    const script: Script = { grantMax: 1 };
    const { coordinator, engine, work, last } = await world(script, { slicesPerPart: 10, sliceMs: 5 });
    const job = coordinator.addJob('a', 2);
    script.onWork = () => {
      // The engine asks for the second tile while the first one is at work.
      if (coordinator.workRequests === 2) coordinator.addAudit(job, elements);
    };
    engine.start();
    await until(() => last()?.tiles.handedIn === 2, 'both tiles');
    expect(last().audits).toBe(1);
    const audited = work.log.findIndex((line) => line.startsWith('audit'));
    expect(work.log.slice(audited - 1, audited + 2).join()).toMatch(/^run a\/0 parts 0123,audit a 40.2.9 3.0.0,run a\/0 parts 1?2?3$/);
    expect(work.computed.toSorted()).toEqual([0, 1].flatMap((tile) => [0, 1, 2, 3].map((part) => `${tile}.${part}`)));
    expect(coordinator.givenBack).toEqual([]);
  });

  it('bring more work with their answer', async () => {
    const { coordinator, engine, last } = await world({ grantMax: 1, retryMs: 60_000 });
    const job = coordinator.addJob('a', 0);
    engine.start();
    await until(() => last()?.waiting, 'waiting');
    coordinator.addAudit(job, elements);
    coordinator.addAudit(job, elements);
    coordinator.fact('work:available');
    await until(() => last().audits === 2, 'both answers');
    // An answer that overtook another may have the last word on whether there is work; being told again settles it.
    coordinator.fact('work:available');
    await until(() => last().waiting, 'waiting again');
  });

  it('that nobody waits for any more change nothing', async () => {
    const { coordinator, engine, last } = await world({ onAnswer: () => ({ error: { code: 'stale', message: 'too late', field: 'token' } }) });
    const job = coordinator.addJob('a', 1);
    coordinator.addAudit(job, elements);
    engine.start();
    await until(() => last()?.tiles.handedIn === 1 && last().waiting, 'the tile');
    expect(last()).toMatchObject({ mode: 'working', audits: 0 });
  });

  it('are done again on a new GPU after a loss', async () => {
    const { coordinator, engine, gpu, work, last } = await world({}, { slicesPerPart: 20, sliceMs: 5 });
    const job = coordinator.addJob('a', 0);
    const token = coordinator.addAudit(job, elements);
    engine.start();
    await until(() => work.slices > 2, 'the audit at work');
    gpu.lose();
    await until(() => last().audits === 1, 'the answer');
    expect(gpu.devices).toBe(2);
    expect(work.log.filter((line) => line.startsWith('audit'))).toHaveLength(2);
    expect(coordinator.answers.get(token)).toEqual(values);
    expect(coordinator.givenBack).toEqual([]);
  });

  it('go back when this GPU cannot do them, and no more of their job is taken', async () => {
    const { coordinator, engine, last } = await world({}, { failAudit: () => true });
    const bad = coordinator.addJob('bad', 1);
    const token = coordinator.addAudit(bad, elements);
    coordinator.addJob('good', 0);
    engine.start();
    await until(() => coordinator.givenBack.length >= 2, 'the audit and the lease back');
    expect(coordinator.givenBack).toContain(token);
    expect(coordinator.givenBack).toContain(coordinator.tokensOf(bad)[0]);
    expect(last().mode).toBe('working');
    expect(coordinator.answers.size).toBe(0);
  });

  it('go back at a pause, and are dropped when they are taken back', async () => {
    const { coordinator, engine, work, last } = await world({}, { slicesPerPart: 1000, sliceMs: 5 });
    const job = coordinator.addJob('a', 0);
    const paused = coordinator.addAudit(job, elements);
    engine.start();
    await until(() => work.slices > 2, 'the audit at work');
    engine.pause();
    await until(() => coordinator.givenBack.includes(paused), 'the audit back');
    const voided = coordinator.addAudit(job, elements);
    engine.resume();
    coordinator.fact('work:available');
    await until(() => work.log.filter((line) => line.startsWith('audit')).length === 2, 'the second audit');
    coordinator.fact('leases:void', { tokens: [voided], reason: 'The job was cancelled.' });
    await until(() => last().waiting, 'nothing at work');
    expect(coordinator.givenBack).toEqual([paused]);
    expect(coordinator.answers.size).toBe(0);
  });

  it('at work go back at a stop', async () => {
    const { coordinator, engine, work } = await world({}, { slicesPerPart: 1000, sliceMs: 5 });
    const token = coordinator.addAudit(coordinator.addJob('a', 0), elements);
    engine.start();
    await until(() => work.slices > 2, 'the audit at work');
    await engine.stop();
    expect(coordinator.givenBack).toEqual([token]);
  });
});
