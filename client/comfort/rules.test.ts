import { describe, expect, it } from 'vitest';
import { holdsFor, type Readings } from './rules.ts';
import { comfortDefaults, comfortOf } from './settings.ts';

const noon = new Date(2026, 5, 1, 12);
const calm: Readings = { battery: null, pressure: null, saveData: false, unpaid: false, now: noon };
const on = (percent: number, charging = false): Partial<Readings> => ({ battery: { percent, charging } });

describe('rules', () => {
  it('hold nothing where the browser tells nothing', () => expect(holdsFor(comfortDefaults, calm)).toEqual([]));

  it.each([
    ['battery', {}, on(100)],
    ['battery', { batteryPercent: 40 }, on(39)],
    ['pressure', {}, { pressure: 'serious' }],
    ['pressure', {}, { pressure: 'critical' }],
    ['saveData', {}, { saveData: true }],
    ['hours', { hours: '22-7' }, {}],
    ['unpaid', { onlyWhenItPays: true }, { unpaid: true }],
  ] as const)('hold for %s: %j, %j', (reason, settings, readings) => {
    expect(holdsFor({ ...comfortDefaults, ...settings }, { ...calm, ...readings })).toEqual([reason]);
  });

  it.each([
    [{}, on(5, true)],
    [{ batteryPercent: 40 }, on(40)],
    [{ batteryPercent: 0 }, on(1)],
    [{}, { pressure: 'fair' }],
    [{ yieldToMachine: false }, { pressure: 'critical' }],
    [{ saveData: false }, { saveData: true }],
    [{ hours: '11-13' }, {}],
    [{ hours: 'damaged' }, {}],
    [{}, { unpaid: true }],
  ] as const)('let it run: %j, %j', (settings, readings) => {
    expect(holdsFor({ ...comfortDefaults, ...settings }, { ...calm, ...readings })).toEqual([]);
  });

  it('say all reasons', () => {
    expect(holdsFor(comfortDefaults, { ...calm, ...on(10), pressure: 'serious', saveData: true })).toEqual(['battery', 'pressure', 'saveData']);
  });
});

describe('what was remembered', () => {
  it.each([null, 'x', 7, [], { powerPercent: 4 }, { powerPercent: '50' }, { watts: -1 }, { hours: 7 }, { wakeLock: 1 }, { unknown: true }])(
    'is the default where it is not fit: %j',
    (stored) => expect(comfortOf(stored)).toEqual(comfortDefaults),
  );

  it('is taken where it is', () => {
    expect(comfortOf({ powerPercent: 35, hours: '22-7', watts: 80, battery: 3 })).toEqual({ ...comfortDefaults, powerPercent: 35, hours: '22-7', watts: 80 });
  });
});
