import { countParts } from '../../shared/model.ts';
import type { OperatorContributor } from '../../shared/schemas.ts';
import type { LiveJob } from '../ui/mosaic/live-job.svelte.ts';
import { colourOf } from './colours.ts';

/** Speeds are over so long; a shorter time would jump with every tile. */
const SPEED_MS = 30_000;
const MINUTE_MS = 60_000;

/** Somebody who computes. */
export interface Member {
  readonly alias: string;
  readonly colour: string;
  /** As its device says; empty where only its results are known. */
  readonly device: string;
  readonly isHere: boolean;
  /** Accepted, and how many a minute of late. */
  readonly parts: number;
  readonly partsPerMinute: number;
}

/** The tiles that somebody computed last, by colour. */
export interface Made {
  readonly colour: string;
  readonly tiles: readonly number[];
}

/** Who computes a job, how fast, and which tiles are whose; counted anew at each look. */
export class Fleet {
  readonly #live: LiveJob;
  /** In the order in which they were seen first, which their colours follow. */
  readonly #places = new Map<string, number>();
  #history: { readonly atMs: number; readonly parts: ReadonlyMap<string, number> }[] = [];
  #members = $state.raw<readonly Member[]>([]);
  #made = $state.raw<readonly Made[]>([]);

  constructor(live: LiveJob) {
    this.#live = live;
  }

  get members(): readonly Member[] {
    return this.#members;
  }
  get made(): readonly Made[] {
    return this.#made;
  }

  /** `known`: what the operator is told of those that are connected; planted liars are left out. */
  look(nowMs: number, known: readonly OperatorContributor[]): void {
    const parts = new Map<string, number>();
    const makers = new Map<number, { readonly pass: number; readonly alias: string }>();
    for (const { contributor, tile, pass, parts: mask } of this.#live.results.all()) {
      parts.set(contributor, (parts.get(contributor) ?? 0) + countParts(mask));
      if ((makers.get(tile)?.pass ?? -1) <= pass) makers.set(tile, { pass, alias: contributor });
    }
    this.#history = [...this.#history.filter(({ atMs }) => atMs > nowMs - SPEED_MS), { atMs: nowMs, parts }];
    const honest = new Map(known.filter(({ drill }) => !drill).map((each) => [each.alias, each]));
    const aliases = new Set([...parts.keys(), ...[...honest.values()].filter(({ online }) => online).map(({ alias }) => alias)]);
    for (const alias of aliases) if (!this.#places.has(alias)) this.#places.set(alias, this.#places.size);
    this.#members = [...aliases]
      .map((alias) => ({
        alias,
        colour: this.#colour(alias),
        device: honest.get(alias)?.device ?? '',
        isHere: honest.get(alias)?.online ?? false,
        parts: parts.get(alias) ?? 0,
        partsPerMinute: this.#speedOf(alias, nowMs, parts),
      }))
      .sort((a, b) => b.parts - a.parts);
    const byColour = new Map<string, number[]>();
    for (const [tile, { alias }] of makers) {
      const colour = this.#colour(alias);
      const tiles = byColour.get(colour);
      if (tiles) tiles.push(tile);
      else byColour.set(colour, [tile]);
    }
    this.#made = [...byColour].map(([colour, tiles]) => ({ colour, tiles }));
  }

  #colour(alias: string): string {
    return colourOf(this.#places.get(alias) ?? 0);
  }

  #speedOf(alias: string, nowMs: number, parts: ReadonlyMap<string, number>): number {
    const [first] = this.#history;
    if (!first || first.atMs >= nowMs) return 0;
    return (((parts.get(alias) ?? 0) - (first.parts.get(alias) ?? 0)) * MINUTE_MS) / (nowMs - first.atMs);
  }
}
