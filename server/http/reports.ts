import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { HOUR_MS, limits } from '../../shared/limits.ts';
import type { ReportReceipt } from '../../shared/schemas.ts';
import * as schemas from '../../shared/schemas.ts';
import { atCap } from '../caps.ts';
import { newReportId } from '../ids.ts';
import { JobError, type Jobs } from '../jobs.ts';
import type { AppDeps } from './deps.ts';
import { HttpError } from './errors.ts';
import type { Sessions } from './session.ts';

export interface ReportRouteDeps extends Pick<AppDeps, 'store' | 'clock' | 'randomBytes'> {
  readonly jobs: Pick<Jobs, 'visible'>;
  readonly sessions: Pick<Sessions, 'require' | 'ownerOf'>;
}

/** Whoever may see a job may tell the operator of it. */
export const reportRoutes =
  ({ store, clock, randomBytes, jobs, sessions }: ReportRouteDeps): FastifyPluginAsyncTypebox =>
  async (app) => {
    const countReport = app.createRateLimit({
      max: limits.reportsPerOwnerHourMax,
      timeWindow: HOUR_MS,
      keyGenerator: async (request) => `report/${await sessions.ownerOf(request)}`,
    });
    // Sessions are free; what one address may report is capped as well.
    const rateLimit = { max: 3 * limits.reportsPerOwnerHourMax, timeWindow: HOUR_MS };
    const schema = {
      operationId: 'reportJob',
      tags: ['Jobs'],
      summary: 'Tell the operator that a job breaks the content policy.',
      params: Type.Object({ job: schemas.jobId }),
      body: schemas.reportRequest,
      response: { 201: schemas.reportReceipt },
    };

    app.post('/api/jobs/:job/reports', { config: { rateLimit }, schema }, async (request, reply) => {
      const { owner } = await sessions.require(request);
      const job = await jobs.visible(request.params.job, owner);
      if (job.owner === owner) throw new JobError('conflict', 'This job is yours: cancel it instead.');
      const count = await countReport(request);
      if (!count.isAllowed && count.isExceeded)
        throw atCap(
          'reportsPerOwnerHourMax',
          new HttpError(
            'too_many',
            `Reports are capped; try again in ${Math.ceil(count.ttlInSeconds / 60)} minutes.`,
            undefined,
            `${limits.reportsPerOwnerHourMax} an hour`,
          ),
        );
      const report = { id: newReportId(randomBytes), job: job.id, reporter: owner, ...request.body, createdMs: clock() };
      const added = await store.moderation.addReport(report, limits.openReportsPerJobMax);
      if (added === 'known') throw new JobError('conflict', 'You have reported this job already. The operator has not decided yet.');
      if (added === 'enough')
        throw atCap('openReportsPerJobMax', new JobError('conflict', 'Many have reported this job already. The operator has not decided yet.'));
      const receipt: ReportReceipt = { id: report.id, createdMs: report.createdMs };
      return reply.code(201).send(receipt);
    });
  };
