import { powerPercents } from '../engine/pace.ts';

/** What the owner of a GPU has chosen for its comfort; remembered by this browser. */
export interface ComfortSettings {
  /** Share of the GPU's time, 5 to 100. */
  readonly powerPercent: number;
  /** Pauses on battery below this charge in percent: 0 never, 100 whenever it is not plugged in. */
  readonly batteryPercent: number;
  /** Pauses while the whole machine is under serious load. */
  readonly yieldToMachine: boolean;
  /** Pauses while somebody else needs the GPU. */
  readonly yieldToOthers: boolean;
  /** Pauses while the browser is told to save data. */
  readonly saveData: boolean;
  /** Hours of the day in which it may run, as `parseHours` takes them; empty: always. */
  readonly hours: string;
  /** Keeps the screen on while sharing. */
  readonly wakeLock: boolean;
  /** What the GPU draws while it computes, in watts; null: by its kind. */
  readonly watts: number | null;
  /** Price of a kilowatt hour, and what a credit is worth, in the same money. */
  readonly pricePerKwh: number;
  readonly creditWorth: number;
  /** Pauses when the last minutes cost more than they earned. */
  readonly onlyWhenItPays: boolean;
}

export const comfortDefaults: ComfortSettings = {
  powerPercent: 100,
  batteryPercent: 100,
  yieldToMachine: true,
  yieldToOthers: true,
  saveData: true,
  hours: '',
  wakeLock: false,
  watts: null,
  pricePerKwh: 0.3,
  creditWorth: 0,
  onlyWhenItPays: false,
};

const KEY = 'tessera.comfort';

const between =
  (least: number, most: number) =>
  (value: unknown): boolean =>
    typeof value === 'number' && value >= least && value <= most;
const isBoolean = (value: unknown): boolean => typeof value === 'boolean';

/** What each may be: what is stored may be from another version, or from somebody else's hands. */
export const comfortChecks: { readonly [Name in keyof ComfortSettings]: (value: unknown) => boolean } = {
  powerPercent: between(powerPercents.min, powerPercents.max),
  batteryPercent: between(0, 100),
  yieldToMachine: isBoolean,
  yieldToOthers: isBoolean,
  saveData: isBoolean,
  hours: (value) => typeof value === 'string' && value.length <= 100,
  wakeLock: isBoolean,
  watts: (value) => value === null || between(1, 2000)(value),
  pricePerKwh: between(0, 100),
  creditWorth: between(0, 1_000_000),
  onlyWhenItPays: isBoolean,
};

/** Takes what is fit from `stored`, and the default for everything else. */
export function comfortOf(stored: unknown): ComfortSettings {
  const given = (typeof stored === 'object' && stored !== null ? stored : {}) as Record<string, unknown>;
  const fit = Object.entries(comfortChecks).filter(([name, isFit]) => name in given && isFit(given[name]));
  return { ...comfortDefaults, ...Object.fromEntries(fit.map(([name]) => [name, given[name]])) };
}

export function rememberedComfort(): ComfortSettings {
  try {
    return comfortOf(JSON.parse(localStorage.getItem(KEY) ?? 'null'));
  } catch {
    // Storage is switched off, or holds something else: the defaults are the careful choice.
    return comfortDefaults;
  }
}

export function rememberComfort(settings: ComfortSettings): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // It holds for as long as the page is open.
  }
}
