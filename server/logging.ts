import { randomUUID } from 'node:crypto';
import type { FastifyServerOptions } from 'fastify';
import type { Config } from './config.ts';
import type { Event } from './core/state.ts';

/**
 * Lines of JSON (pino). The same thing has the same name in all of them: `job`, `pass` and `tile`, `result`, `contributor`, `command`, `reqId`. Nobody's address
 * is in them, and no secret.
 */

const secrets = ['cookie', 'authorization', 'token', 'secret', 'set-cookie', 'password'];
/** At the top, one level down, and two, as in `req.headers.cookie`. */
const redacted = secrets.flatMap((name) => ['', '*.', '*.*.'].map((path) => (name.includes('-') ? `${path.replace(/\.$/, '')}["${name}"]` : `${path}${name}`)));

export type LogStream = { write(line: string): void };

/** What a request is in a log: addresses tell who somebody is, and queries may hold what is nobody's business. */
const requestOf = ({ method, url }: { readonly method: string; readonly url: string }): { method: string; path: string | undefined } => ({
  method,
  path: url.split('?')[0],
});

export function logOptions({ logLevel }: Pick<Config, 'logLevel'>, stream?: LogStream): Pick<FastifyServerOptions, 'logger' | 'genReqId'> {
  const genReqId = (): string => randomUUID();
  if (logLevel === 'silent') return { logger: false, genReqId };
  return {
    genReqId,
    logger: { level: logLevel, redact: { paths: redacted, censor: '[secret]' }, serializers: { req: requestOf }, ...(stream ? { stream } : {}) },
  };
}

/** What an operator wants to know of what the core decides. */
export const logEvents =
  (log: { info(fields: object, message: string): void }) =>
  (events: readonly Event[]): void => {
    for (const event of events) {
      if (event.type === 'jobEnded') log.info({ job: event.job, parts: event.summary.parts }, 'a job has ended');
      else if (event.type === 'verdict' && event.state === 'refuted')
        log.info({ job: event.job, ...event.at, contributor: event.contributor, reason: event.reason }, 'a result was refuted');
      else if (event.type === 'tileRevoked') log.info({ job: event.job, ...event.at, result: event.result }, 'an accepted result was taken back');
    }
  };
