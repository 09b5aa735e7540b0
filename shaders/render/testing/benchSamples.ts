import type { Page } from 'playwright';
import { type ElementRef, fullMask, type TileRef } from '../../../shared/model.ts';
import { Rng } from '../../../shared/rng.ts';
import { callPage } from '../../common/testing/benchBrowser.ts';
import { median } from '../../common/testing/benchFigures.ts';
import { load, render } from '../check.ts';
import { samplesOfParts } from '../grid.ts';
import type { RenderJob } from '../params.ts';
import { prepare } from '../prepare.ts';
import { samples } from '../samples.ts';
import { spec } from '../spec.ts';

/** Speed of our kernel on the gallery's scenes: tiles, audits and the CPU reference. */

const ROUNDS = 3;
/** Elements of one audit. */
const AUDIT_ELEMENTS = 512;

interface Sample {
  readonly job: RenderJob;
  readonly packed: Uint8Array;
  /** In the middle of the picture. */
  readonly tile: TileRef;
}

async function prepared(software: boolean): Promise<Map<string, Sample>> {
  const found = new Map<string, Sample>();
  for (const { id, params, files } of await samples()) {
    const used = software ? { ...params, width: 128, height: 128, samples: 64 } : params;
    const { prepared: facts, inputs } = await prepare(used, files);
    const job: RenderJob = { id: 'j_bench_bench_benc' as RenderJob['id'], seed: 1, params: used, prepared: facts };
    const tile = { pass: 0, tile: Math.floor((spec.split(used, facts).tiles * 5) / 8) };
    found.set(id, { job, packed: inputs.scene!, tile });
  }
  return found;
}

/** Elements all over the job, as auditors get them. */
function scattered({ job }: Sample): ElementRef[] {
  const rng = new Rng(1);
  const { tiles } = spec.split(job.params, job.prepared);
  return Array.from({ length: AUDIT_ELEMENTS }, () => {
    const tile = { pass: 0, tile: rng.below(tiles) };
    return { ...tile, part: rng.below(spec.parts(job, tile)), element: rng.below(spec.elements(job, tile)) };
  });
}

/** Expected work of one path of a tile: paths of the sky are short, those of a corner long. */
const pathWork = ({ job }: Sample, tile: TileRef): number => spec.work(job, tile) / (spec.elements(job, tile) * samplesOfParts(job.params, tile.pass));

export async function sampleFigures(page: Page, blobs: Map<string, Uint8Array>, software: boolean): Promise<Record<string, number>> {
  const figures: Record<string, number> = {};
  for (const [name, sample] of await prepared(software)) {
    const { job, packed, tile } = sample;
    blobs.set(name, packed);
    await callPage(page, 'bench', 'openScene', name, name, job);
    const parts = fullMask(software ? 1 : spec.parts(job, tile));
    const perPart = spec.elements(job, tile) * samplesOfParts(job.params, 0);
    const elements = scattered(sample);
    const [tiles, audits]: number[][] = [[], []];
    // The first round lets slices grow and clocks rise; it does not count.
    for (let round = 0; round <= ROUNDS; round++) {
      const traced = await callPage<{ ms: number }>(page, 'bench', 'run', name, tile, parts);
      const audit = await callPage<{ ms: number }>(page, 'bench', 'recompute', name, elements);
      if (round === 0) continue;
      tiles!.push((perPart * (software ? 1 : spec.parts(job, tile)) * 1000) / traced.ms);
      audits!.push((AUDIT_ELEMENTS * samplesOfParts(job.params, 0) * 1000) / audit.ms);
    }
    await callPage(page, 'bench', 'closeScene', name);
    figures[`paths_per_second_${name}`] = median(tiles!);
    figures[`audit_paths_per_second_${name}`] = median(audits!);
    const auditWork = elements.reduce((sum, at) => sum + pathWork(sample, at), 0) / elements.length;
    figures[`audit_speed_${name}`] = (median(audits!) * auditWork) / (median(tiles!) * pathWork(sample, tile));
    const started = performance.now();
    render(load(job, { scene: packed }), job, tile, fullMask(1));
    figures[`reference_paths_per_second_${name}`] = (perPart * 1000) / (performance.now() - started);
  }
  return figures;
}
