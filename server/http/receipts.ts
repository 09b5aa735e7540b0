import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { workload } from '../../shaders/registry.ts';
import { MINUTE_MS } from '../../shared/limits.ts';
import type { BlobHash, OwnerId } from '../../shared/model.ts';
import { receipt } from '../../shared/receipt.ts';
import * as schemas from '../../shared/schemas.ts';
import { JobError, type Jobs } from '../jobs.ts';
import { buildReceipt, receiptKey } from '../receipts.ts';
import { type StoredKey, signingKey } from '../store/keys.ts';
import type { Store, StoredJob } from '../store/store.ts';
import { anybody } from './openapi.ts';

export interface ReceiptRouteDeps {
  readonly store: Store;
  readonly jobs: Pick<Jobs, 'file' | 'visible'>;
  /** Who the request's session belongs to; undefined without one. */
  readonly ownerOf: (request: FastifyRequest) => Promise<OwnerId | undefined>;
  readonly clock: () => number;
}

/** Building takes 23 us of the main thread a result (measured over 100,000 on one busy core of two), so this many half a second. */
const RECEIPT_LEAVES_MAX = 20_000;
const RECEIPTS_PER_MINUTE_MAX = 10;
const counted = { scope: 'jobs:read', rateLimit: { max: RECEIPTS_PER_MINUTE_MAX, timeWindow: MINUTE_MS }, problems: [409] } as const;

const jobPath = Type.Object({ job: schemas.jobId });
const getReceipt = {
  operationId: 'getReceipt',
  tags: ['Jobs'],
  summary: 'Download the receipt of a finished job',
  description: 'Who made every accepted result, what was checked of it, what was paid for it, and the hash of its bytes; signed with Ed25519 (RFC 8032).',
  security: anybody('jobs:read'),
  params: jobPath,
  response: { 200: receipt },
};
const publicKey = { pattern: '^[0-9a-f]{64}$' };
const getReceiptKey = {
  operationId: 'getReceiptKey',
  tags: ['Service'],
  summary: 'See the keys that sign receipts',
  description: 'A receipt is good with any of `keys`: once a key was rotated the earlier ones sign no more, and what they have signed stays good.',
  response: {
    200: Type.Object({
      publicKey: Type.String({ ...publicKey, description: 'Ed25519 public key that signs now, in hexadecimal digits.' }),
      keys: Type.Array(
        Type.Object({
          publicKey: Type.String({ ...publicKey, description: 'Ed25519 public key, in hexadecimal digits.' }),
          fromMs: Type.Union([Type.Number(), Type.Null()], { description: 'Since when it signs, in milliseconds since 1970; null: from the first.' }),
          untilMs: Type.Union([Type.Number(), Type.Null()], { description: 'Since when another one signs instead; null: none does.' }),
        }),
        { description: 'Newest first; the newest may be one that does not sign yet.' },
      ),
    }),
  },
};

/** Receipts of finished jobs, also of deleted ones, for everybody who may see the job, and the key that signs them. */
export const receiptRoutes =
  ({ store, jobs, ownerOf, clock }: ReceiptRouteDeps): FastifyPluginAsyncTypebox =>
  async (app) => {
    /** The job's files, but for those that cannot be made any more, and for large ones that nobody has asked for yet: the receipt does not vouch for them. */
    const outputsOf = async (job: StoredJob): Promise<{ id: string; hash: BlobHash }[]> => {
      const found: { id: string; hash: BlobHash }[] = [];
      const { id: context, seed, params, prepared } = job;
      for (const { id, large } of workload(job.workload)?.spec.outputs({ id: context, seed, params, prepared }) ?? []) {
        const made = large || job.deletedMs !== null ? await store.jobs.file(job.id, id) : undefined;
        // Of a deleted job it is known what they were.
        if (made && job.deletedMs !== null) found.push({ id, hash: made });
        if (job.deletedMs !== null || (large && !made)) continue;
        try {
          found.push({ id, hash: (await jobs.file(job.id, id)).hash });
        } catch (error) {
          if (!(error instanceof JobError)) throw error;
        }
      }
      return found;
    };

    app.get('/api/receipts/key', { config: { scope: 'any' }, schema: getReceiptKey }, async () => {
      const keys = await store.keys.of('receipt');
      const publicKeyOf = ({ bytes }: StoredKey): string => receiptKey(bytes).publicKey;
      return {
        publicKey: publicKeyOf(signingKey(keys)),
        keys: keys.map((key) => ({ publicKey: publicKeyOf(key), fromMs: key.fromMs, untilMs: key.untilMs })),
      };
    });

    app.get('/api/jobs/:job/receipt', { config: counted, schema: getReceipt }, async (request, reply) => {
      const job = await jobs.visible(request.params.job, await ownerOf(request));
      if (job.status !== 'done') throw new JobError('conflict', 'The receipt is there once the job is done.');
      const accepted = (await store.jobs.results(job.id)).filter(({ state }) => state === 'accepted');
      if (accepted.length === 0) throw new JobError('conflict', 'This job was computed before there were receipts.');
      if (accepted.length > RECEIPT_LEAVES_MAX)
        throw new JobError('conflict', `A receipt holds at most ${RECEIPT_LEAVES_MAX} results; this job has ${accepted.length}.`);
      const paid = await store.ledger.paidFor(accepted.map(({ id }) => id));
      reply.header('cache-control', 'no-store');
      const key = receiptKey(signingKey(await store.keys.of('receipt')).bytes);
      return buildReceipt(job, accepted, paid, await outputsOf(job), key, clock());
    });
  };
