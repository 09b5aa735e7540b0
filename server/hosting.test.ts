import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readConfig, settingNames } from './config.ts';
import { whole } from './whole.testing.ts';

/** What docs/hosting.md states, held against the coordinator. */

const document = readFileSync(join(import.meta.dirname, '../docs/hosting.md'), 'utf8');
const settings = document.slice(document.indexOf('## Settings'), document.indexOf('## Money'));
/** Of each row the names and the default, as it stands there. */
const rows = [...settings.matchAll(/^\| (`[A-Z].*?) \| (.*?) \|/gm)].map(([, names = '', standard = '']) => ({
  names: [...names.matchAll(/[A-Z][A-Z0-9_]+/g)].map(([name]) => name),
  standard: /^`([^`]*)`/.exec(standard)?.[1],
}));

test('all settings are listed, and no others', () => {
  expect(rows.flatMap(({ names }) => names).sort()).toEqual([...settingNames].sort());
});

test('a setting that is left out is what the table says', () => {
  const standards = rows.flatMap(({ names: [name = ''], standard }) => (standard === undefined ? [] : [[name, standard] as const]));
  expect(standards.length).toBeGreaterThan(12);
  const without = readConfig({});
  expect(readConfig(Object.fromEntries(standards))).toEqual(without);
  // Those of money count only where it is switched on.
  const money = { PAYOUTS: 'on', SETTLE_TOKEN: 'x'.repeat(32), TOKEN_NAME: 'T', SCREENING: './screening.ts' };
  expect(readConfig({ ...Object.fromEntries(standards), ...money })).toEqual(readConfig(money));
  expect(without.payouts).toBeNull();
});

test('figures that are worth an alarm are there, and the probes answer', async () => {
  await whole.open();
  try {
    const figures = await (await fetch(`${whole.url}/metrics`)).text();
    const named = [...document.matchAll(/`(tessera_[a-z_]+)/g)].map(([, name = '']) => name);
    expect(named.length).toBeGreaterThan(6);
    // Before the first proof of the books there is nothing to tell of them.
    for (const name of named.filter((each) => !each.startsWith('tessera_ledger'))) expect(figures, name).toContain(`# TYPE ${name} `);
    expect(await (await fetch(`${whole.url}/readyz`)).json()).toEqual({ ready: true });
    expect((await fetch(`${whole.url}/healthz`)).status).toBe(200);
  } finally {
    await whole.close();
  }
}, 40_000);
