import { randomBytes } from 'node:crypto';
import { workload } from '../../shaders/registry.ts';
import type { BlobHash } from '../../shared/model.ts';
import type { Pool } from '../checks/pool.ts';
import { Coordinator } from '../coordinator.ts';
import { holds } from '../core/ledger.ts';
import { Delivering } from '../delivering.ts';
import { Jobs } from '../jobs.ts';
import { Moderation } from '../moderation.ts';
import { Network } from '../network.ts';
import { Operating } from '../operating.ts';
import { makeLink } from '../operator-link.ts';
import { ask } from '../outbound.ts';
import { Prices, readCalibrations } from '../prices.ts';
import type { StoredJob } from '../store/store.ts';
import { exampleJob } from '../store/testing.ts';
import { Webhooks } from '../webhooks.ts';
import { networkRoutes } from './network.ts';
import { operatorRoutes } from './operator.ts';
import { priceRoutes } from './prices.ts';
import { reportRoutes } from './reports.ts';
import { type TestApp, type TestOptions, Visitor, withApp } from './testing.ts';
import { webhookRoutes } from './webhooks.ts';

/** The HTTP edge with the coordinator behind what is about it: reports, the network's figures, the operator, webhooks. */
export interface OperatorApp extends TestApp {
  readonly coordinator: Coordinator;
  readonly moderation: Moderation;
  readonly operating: Operating;
  readonly network: Network;
  readonly gone: string[];
}

const silent = { info: () => undefined, error: () => undefined };
/** Nothing is prepared, checked or put together here. */
const idle = { ask: () => Promise.reject(new Error('no thread works in this test')) } as unknown as Pool;

export const withOperatorApp = <T>(run: (test: OperatorApp) => Promise<T>, options: TestOptions = {}): Promise<T> =>
  withApp(async (test) => {
    const { app, store, blobs, config, suspended } = test;
    const clock = (): number => test.now.ms;
    const coordinator = await Coordinator.open({
      store,
      blobs,
      checks: idle,
      spec: (id) => workload(id)?.spec,
      privateSwarm: true,
      vestingMsMax: 0,
      holdbackMs: 0,
      clock,
      random: randomBytes,
      log: silent,
    });
    const moderation = await Moderation.open(store);
    const prices = await Prices.open({ store, ratePerUnit: 1n, rates: new Map(), calibrations: await readCalibrations(), clock });
    const jobs = new Jobs({ store, blobs, coordinator, preparing: idle, assembling: idle, moderation, prices, retentionMs: 1, clock, randomBytes });
    const suspensions = { has: suspended.has.bind(suspended), set: (site: never, yes: boolean) => void (yes ? suspended.add(site) : suspended.delete(site)) };
    const gone: string[] = [];
    const operating = await Operating.open({ store, coordinator, moderation, suspensions, jobGone: (job) => gone.push(job), clock });
    const network = await Network.open({ store: store.network, coordinator, clock, log: silent });
    await app.register(operatorRoutes({ operating, config, store, clock, randomBytes, isSuspended: (site) => suspended.has(site) }));
    await app.register(reportRoutes({ store, clock, randomBytes, jobs, sessions: app.sessions }));
    await app.register(networkRoutes({ network }));
    await app.register(priceRoutes({ prices, store }));
    const delivering = new Delivering({
      store,
      ask: (url, request, { signal }) => ask(url, request, { allowsLocal: true, signal }),
      clock,
      randomBytes,
      log: silent,
    });
    coordinator.onEvents(delivering.heard);
    const webhooks = new Webhooks({ store, delivering, allowsLocal: true, clock, randomBytes });
    await app.register(webhookRoutes({ webhooks, ownerOf: app.sessions.ownerOf }));
    try {
      return await run({ ...test, coordinator, moderation, operating, network, gone });
    } finally {
      await delivering.close();
      await network.close();
      await coordinator.close();
    }
  }, options);

/** An operator who has come by a link made on the machine. Its cookie is apart from that of a requester. */
export async function operatorOf(test: TestApp): Promise<Visitor> {
  const visitor = new Visitor(test);
  await visitor.ask('POST', '/api/operator/session', { token: makeLink(test.config.dataDir, randomBytes(32), test.now.ms) });
  return visitor;
}

/** A public job of somebody else, in the store alone. */
export async function storeJob({ store, now }: TestApp, own: Partial<StoredJob> = {}, files: Readonly<Record<string, BlobHash>> = {}): Promise<StoredJob> {
  const job = exampleJob({ createdMs: now.ms, heldFrom: [{ account: 'operator/issuance', microCredits: 1000n }], ...own });
  await store.jobs.create(job, holds(job), { files });
  return job;
}
