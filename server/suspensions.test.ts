import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { SiteId } from '../shared/model.ts';
import { temporaryFolder } from './store/testing.ts';
import { readSuspended, Suspensions } from './suspensions.ts';

const site = 's_0123456789abcdef' as SiteId;

test('the command suspends and resumes while the coordinator looks on', async () => {
  const folder = temporaryFolder();
  const told: SiteId[] = [];
  const suspensions = new Suspensions(
    folder.path,
    (each) => told.push(each),
    (error) => expect.unreachable(String(error)),
  );
  const sites = (...args: string[]) =>
    promisify(execFile)(process.execPath, [join(import.meta.dirname, 'sites.ts'), ...args], { env: { ...process.env, DATA_DIR: folder.path } });
  expect((await sites()).stdout).toBe('No site is suspended.\n');
  await sites('suspend', site);
  await expect.poll(() => suspensions.has(site), { timeout: 5000 }).toBe(true);
  expect(told).toEqual([site]);
  expect((await sites()).stdout).toBe(`${site}\n`);
  await sites('resume', site);
  await expect.poll(() => suspensions.has(site), { timeout: 5000 }).toBe(false);
  for (const wrong of [['suspend'], ['suspend', 'x'], ['remove', site], ['suspend', site, site]])
    await expect(sites(...wrong)).rejects.toMatchObject({ code: 2 });
  expect(readSuspended(folder.path).size).toBe(0);
  suspensions.close();
  folder.remove();
});
