import type { HoldReason } from '../engine/api.ts';
import { isWithin, parseHours } from './hours.ts';
import type { ComfortSettings } from './settings.ts';

/** What the browser tells of the machine; null where it does not. */
export interface Readings {
  readonly battery: { readonly percent: number; readonly charging: boolean } | null;
  readonly pressure: 'nominal' | 'fair' | 'serious' | 'critical' | null;
  readonly saveData: boolean;
  /** By the last minutes, running costs more than it earns. */
  readonly unpaid: boolean;
  readonly now: Date;
}

/** Reasons that these rules decide about. The engine finds `busy` itself, the page `owner`, `hidden` and `frozen`. */
export const ruleReasons = ['battery', 'pressure', 'saveData', 'hours', 'unpaid'] as const satisfies readonly HoldReason[];
export type RuleReason = (typeof ruleReasons)[number];

/** Hours that cannot be read hold nothing up: the form does not take them, so they are from elsewhere. */
function isOpen(hours: string, now: Date): boolean {
  try {
    return isWithin(parseHours(hours), now);
  } catch {
    return true;
  }
}

/** Why the engine has to stand still now; all reasons, so that people see what each of them waits for. */
export function holdsFor(settings: ComfortSettings, { battery, pressure, saveData, unpaid, now }: Readings): RuleReason[] {
  const holds: Readonly<Record<RuleReason, boolean>> = {
    battery: battery !== null && !battery.charging && (settings.batteryPercent === 100 || battery.percent < settings.batteryPercent),
    pressure: settings.yieldToMachine && (pressure === 'serious' || pressure === 'critical'),
    saveData: settings.saveData && saveData,
    hours: !isOpen(settings.hours, now),
    unpaid: settings.onlyWhenItPays && unpaid,
  };
  return ruleReasons.filter((reason) => holds[reason]);
}
