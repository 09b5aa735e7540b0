import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { openSqliteStore } from './sqlite.ts';
import { contributorIdOf, exampleContributor, jobIdOf, resultIdOf, temporaryFolder } from './testing.ts';

const ROWS = 5;

/** Starts the writer, lets it acknowledge some commits, kills it in the middle of its work, and returns the numbers it printed. */
async function killedWriter(folder: string, from: number, commitsMin: number): Promise<number[]> {
  const child = spawn(execPath, [join(import.meta.dirname, 'kill.writer.ts'), folder, String(from)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const acknowledged: number[] = [];
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.once('exit', (_code, signal) => resolve(signal)));
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(Number(line));
    if (acknowledged.length === commitsMin) child.kill('SIGKILL');
  }
  expect(await ended).toBe('SIGKILL');
  return acknowledged;
}

test('a killed coordinator loses nothing it has acknowledged, and its books balance', async () => {
  const folder = temporaryFolder();
  const store = await openSqliteStore(folder.path);
  await store.people.createContributor(exampleContributor());
  await store.close();
  let next = 0;
  for (const commitsMin of [3, 40, 11]) {
    const acknowledged = await killedWriter(folder.path, next, commitsMin);
    expect(acknowledged.length).toBeGreaterThanOrEqual(commitsMin);
    next = (acknowledged.at(-1) ?? next) + 1;

    // The lock died with the process: this opens at once.
    const reopened = await openSqliteStore(folder.path);
    const results = await reopened.jobs.results(jobIdOf(1));
    const kept = new Set(results.map(({ id }) => id));
    expect(results.every(({ opening }) => opening !== null)).toBe(true);
    expect((await reopened.people.standings(contributorIdOf(1))).get('example')?.accepted).toBe(kept.size / ROWS);
    for (let row = 0; row < next * ROWS; row++) expect(kept.has(resultIdOf(row)), `result ${row}`).toBe(true);
    // At most the commit that was under way is there beyond the acknowledged ones, and it is whole.
    expect([next * ROWS, (next + 1) * ROWS]).toContain(kept.size);
    expect(await reopened.ledger.audit()).toEqual([{ unit: 'test', sum: 0n, wrongAccounts: 0, transfers: kept.size }]);
    expect(await reopened.ledger.balance(`job/${jobIdOf(1)}`, 'test')).toBe(3n * BigInt(kept.size));
    await reopened.close();
  }
  folder.remove();
});
