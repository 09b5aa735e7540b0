import type { Page } from 'playwright';

/** What a browser tells of its machine, told by the test: a battery, and whether to save data. Only the sensors are replaced. */

interface Told {
  readonly charging?: boolean;
  /** 0 to 1. */
  readonly level?: number;
  readonly saveData?: boolean;
}

/** Runs in the page: must refer to nothing outside of itself. */
function replaceSensors(told: Told): void {
  const battery = Object.assign(new EventTarget(), { charging: true, level: 1 });
  const connection = Object.assign(new EventTarget(), { saveData: false });
  const tell = ({ charging, level, saveData }: Told): void => {
    Object.assign(battery, { charging: charging ?? battery.charging, level: level ?? battery.level });
    connection.saveData = saveData ?? connection.saveData;
    if (charging !== undefined) battery.dispatchEvent(new Event('chargingchange'));
    if (level !== undefined) battery.dispatchEvent(new Event('levelchange'));
    if (saveData !== undefined) connection.dispatchEvent(new Event('change'));
  };
  tell(told);
  Object.defineProperty(Navigator.prototype, 'getBattery', { value: async () => battery });
  Object.defineProperty(Navigator.prototype, 'connection', { get: () => connection });
  Object.assign(globalThis, { tellMachine: tell });
}

/** Of every document that this page opens from now on: plugged in and full, unless told otherwise. */
export async function ownMachine(page: Page, told: Told = {}): Promise<void> {
  await page.addInitScript(replaceSensors, told);
}

/** Something changes. */
export async function tellMachine(page: Page, told: Told): Promise<void> {
  await page.evaluate(`tellMachine(${JSON.stringify(told)})`);
}
