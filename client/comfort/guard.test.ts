import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Snapshot } from '../engine/api.ts';
import { Guard } from './guard.ts';
import { comfortDefaults } from './settings.ts';

let press: (state: string) => void;
let battery: EventTarget & { charging: boolean; level: number };
let connection: EventTarget & { saveData: boolean };
const observe = vi.fn(async () => undefined);
const said: string[] = [];
const engine = { pause: async (reason: string) => void said.push(`pause ${reason}`), resume: async (reason: string) => void said.push(`resume ${reason}`) };

beforeEach(() => {
  vi.useFakeTimers({ now: new Date(2026, 5, 1, 12) });
  said.length = 0;
  battery = Object.assign(new EventTarget(), { charging: true, level: 0.9 });
  connection = Object.assign(new EventTarget(), { saveData: false });
  const own = {};
  vi.stubGlobal('window', Object.assign(own, { top: own }));
  vi.stubGlobal('document', Object.assign(new EventTarget(), { visibilityState: 'visible' }));
  vi.stubGlobal('navigator', { getBattery: async () => battery, connection });
  vi.stubGlobal(
    'PressureObserver',
    class {
      constructor(changed: (records: object[]) => void) {
        press = (state) => changed([{ state }]);
      }
      observe = observe;
      disconnect(): void {}
    },
  );
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const device = { vendor: 'nvidia', architecture: '', backend: '', description: '', software: false };
const snapshot = (over: object = {}): Snapshot => ({ device, busyMs: 0, earnedMicroCredits: '0', vestingMicroCredits: '0', ...over }) as Snapshot;

async function open(settings: object = {}): Promise<Guard> {
  const guard = await Guard.open({ ...comfortDefaults, ...settings });
  guard.keep(engine);
  guard.take(snapshot());
  return guard;
}
const unplug = (charging: boolean): void => {
  battery.charging = charging;
  battery.dispatchEvent(new Event('chargingchange'));
};

it('holds at once and goes on by itself: battery and data saver', async () => {
  const guard = await open();
  unplug(false);
  connection.saveData = true;
  connection.dispatchEvent(new Event('change'));
  unplug(true);
  connection.saveData = false;
  connection.dispatchEvent(new Event('change'));
  expect(said).toEqual(['pause battery', 'pause saveData', 'resume battery', 'resume saveData']);
  guard.close();
});

it('holds under pressure, until it was lower for ten seconds', async () => {
  const guard = await open();
  press('serious');
  expect(said).toEqual(['pause pressure']);
  press('fair');
  await vi.advanceTimersByTimeAsync(9000);
  press('critical');
  press('nominal');
  await vi.advanceTimersByTimeAsync(9000);
  expect(said).toEqual(['pause pressure']);
  await vi.advanceTimersByTimeAsync(2000);
  expect(said).toEqual(['pause pressure', 'resume pressure']);
  guard.close();
});

it('takes no notice of the pressure that a software renderer makes', async () => {
  const guard = await Guard.open(comfortDefaults);
  guard.keep(engine);
  guard.take(snapshot({ device: { ...device, software: true } }));
  press('critical');
  await vi.advanceTimersByTimeAsync(20_000);
  expect(said).toEqual([]);
  guard.close();
});

it('keeps hours, and follows a change of settings at once', async () => {
  const guard = await open({ hours: '13-14' });
  expect(guard.holds).toEqual(['hours']);
  await vi.advanceTimersByTimeAsync(60 * 60_000 + 5000);
  expect(said).toEqual(['resume hours']);
  guard.set({ ...comfortDefaults, hours: '8-9' });
  guard.set(comfortDefaults);
  expect(said.slice(1)).toEqual(['pause hours', 'resume hours']);
  guard.close();
});

it('rests when it does not pay', async () => {
  const guard = await open({ onlyWhenItPays: true, creditWorth: 0.001, pricePerKwh: 0.3, watts: 100 });
  guard.take(snapshot({ busyMs: 11 * 60_000, earnedMicroCredits: '1000000' }));
  await vi.advanceTimersByTimeAsync(5000);
  expect(said).toEqual(['pause unpaid']);
  await vi.advanceTimersByTimeAsync(61 * 60_000);
  expect(said).toEqual(['pause unpaid', 'resume unpaid']);
  guard.close();
});

it('knows before the engine exists what holds it, and tells it what has changed meanwhile', async () => {
  battery.charging = false;
  const guard = await Guard.open({ ...comfortDefaults, hours: '13-14' });
  expect(guard.holds).toEqual(['battery', 'hours']);
  unplug(true);
  expect(guard.holds).toEqual(['battery', 'hours']);
  guard.keep(engine);
  expect(said).toEqual(['resume battery']);
  guard.close();
});

it('waits for no sensor that does not answer', async () => {
  vi.stubGlobal('navigator', { getBattery: () => new Promise(() => undefined), connection });
  const opening = Guard.open(comfortDefaults);
  await vi.advanceTimersByTimeAsync(1000);
  expect((await opening).holds).toEqual([]);
  (await opening).close();
});

it('does not ask for the pressure in a frame, where it is not allowed', async () => {
  observe.mockClear();
  vi.stubGlobal('window', { top: {} });
  const guard = await open();
  expect(observe).not.toHaveBeenCalled();
  expect(guard.readings.pressure).toBeNull();
  guard.close();
});

it('guesses nothing where the browser tells nothing', async () => {
  vi.stubGlobal('navigator', {});
  vi.stubGlobal('PressureObserver', undefined);
  const guard = await open();
  expect(guard.readings).toEqual({ battery: null, pressure: null, saveData: false });
  expect(said).toEqual([]);
  guard.close();
});
