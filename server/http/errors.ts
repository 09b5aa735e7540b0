import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { TLocalizedValidationError } from 'typebox/error';
import { formatCredits } from '../../shared/credits.ts';
import { FormatError } from '../../shared/formats.ts';
import { type ErrorCode, type Problem, problems } from '../../shared/schemas.ts';
import { InputError } from '../../shared/workload.ts';
import { hit, hitStated } from '../caps.ts';
import { PoolBusy } from '../checks/pool.ts';
import { CommitFailed } from '../coordinator.ts';
import { JobError } from '../jobs.ts';
import { MoneyError } from '../money.ts';
import { isStorageFailure } from '../storage-failure.ts';
import { BudgetExceeded } from '../store/api-keys.ts';
import { BlobBanned, isDiskFull } from '../store/blob-store.ts';
import { BlobMismatch, BlobsUnavailable, BlobTooLarge, InsufficientCredits } from '../store/store.ts';

/** What a refusal says beside its body. */
interface ErrorDetails {
  /** When it is worth trying again. */
  readonly retryAfterS?: number;
  /** `WWW-Authenticate`; a 401 has one in any case. */
  readonly challenge?: string;
  /** Another status than the code's own. */
  readonly status?: number;
}

/** A refusal in the words of `ErrorCode`. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly limit: string | undefined;
  readonly more: ErrorDetails;

  constructor(code: ErrorCode, message: string, field?: string, limit?: string, more: ErrorDetails = {}) {
    super(message);
    this.code = code;
    this.field = field;
    this.limit = limit;
    this.more = more;
  }
}

const statusOf: Readonly<Record<ErrorCode, number>> = {
  bad_input: 400,
  signed_out: 401,
  insufficient_credits: 402,
  forbidden: 403,
  suspended: 403,
  not_found: 404,
  stale: 409,
  conflict: 409,
  too_large: 413,
  too_many: 429,
  internal: 500,
  busy: 503,
};

/** Understood, but the content is refused: 422 tells a wrong file or parameter from a request that is malformed. */
const WRONG_CONTENT = 422;

/** What a request without credentials is told to bring (RFC 9110, 11.6.1). */
const CHALLENGE = 'Bearer realm="tessera"';

/** Where nothing tells when a place will be free: soon enough for who waits, seldom enough for us. */
const RETRY_AFTER_S: Readonly<Partial<Record<ErrorCode, number>>> = { too_many: 60, busy: 5 };

function answer(code: ErrorCode, detail: string, field?: string, limit?: string, status = statusOf[code]): Problem {
  const { title } = problems[code];
  return { type: `/api#problem-${code}`, title, status, detail, code, ...(field ? { field } : {}), ...(limit ? { limit } : {}) };
}

/** What an error is answered with; undefined for one that nobody expected. */
function expected(error: unknown): Problem | undefined {
  if (error instanceof HttpError) return answer(error.code, error.message, error.field, error.limit, error.more.status);
  if (error instanceof InputError) return answer('bad_input', error.message, error.field, error.limit, WRONG_CONTENT);
  if (error instanceof JobError || error instanceof MoneyError) return answer(error.code, error.message, error.field, error.limit);
  if (error instanceof InsufficientCredits) {
    const { needed, available } = error;
    return answer('insufficient_credits', `This needs ${formatCredits(needed)} credits.`, undefined, `${formatCredits(available)} available`);
  }
  if (error instanceof BudgetExceeded) {
    const { needed, left, budget } = error;
    const text = `This needs ${formatCredits(needed)} credits; ${formatCredits(left)} of the API key’s budget are left.`;
    return answer('insufficient_credits', text, 'budget', `${formatCredits(left)} of ${formatCredits(budget)} left`);
  }
  if (error instanceof BlobTooLarge) hit('resultBytesMax');
  if (error instanceof BlobTooLarge) return answer('too_large', `The bytes are too many: ${error.message}.`);
  if (error instanceof BlobBanned) return answer('forbidden', 'The operator does not accept this file. The page /policy says what is not accepted.', 'hash');
  if (error instanceof BlobMismatch) return answer('bad_input', `${error.message}.`, 'hash', undefined, WRONG_CONTENT);
  if (error instanceof FormatError) return answer('bad_input', `${error.message}.`);
  if (error instanceof CommitFailed || error instanceof PoolBusy || error instanceof BlobsUnavailable) return answer('busy', error.message);
  if (isDiskFull(error)) return answer('busy', 'The coordinator’s disk is full. It was logged; try again later.');
  if (isStorageFailure(error)) return answer('busy', 'The coordinator cannot store or read anything now; try again.');
  return undefined;
}

const pathOf = (pointer: string): string => pointer.slice(1).replaceAll('/', '.');

/** Plain words for the limit that a value broke; undefined where the message says it all. */
function limitOf({ keyword, params }: TLocalizedValidationError, alternatives: readonly string[]): string | undefined {
  if (alternatives.length > 0) return `one of ${alternatives.join(', ')}`;
  const { limit, type, pattern } = params as { limit?: number; type?: string; pattern?: string };
  switch (keyword) {
    case 'minLength':
      return `at least ${limit} characters`;
    case 'maxLength':
      return `at most ${limit} characters`;
    case 'minItems':
      return `at least ${limit} entries`;
    case 'maxItems':
    case 'maxProperties':
      return `at most ${limit} entries`;
    case 'minimum':
      return `at least ${limit}`;
    case 'maximum':
      return `at most ${limit}`;
    case 'type':
      return `of type ${type}`;
    case 'pattern':
      return `like ${pattern}`;
    default:
      return undefined;
  }
}

/** The first thing that is wrong with a request, by the path of its field and the limit that it broke. */
function invalid(errors: readonly TLocalizedValidationError[]): Problem {
  const [first] = errors;
  if (!first) return answer('bad_input', 'The request is malformed.');
  const missing = first.keyword === 'required' ? first.params.requiredProperties[0] : undefined;
  const at = pathOf(first.instancePath);
  const field = [at, missing].filter(Boolean).join('.');
  if (missing !== undefined) return answer('bad_input', `${field} is missing.`, field);
  if (first.keyword === 'boolean') return answer('bad_input', `${field} is not known here.`, field);
  const alternatives = errors.flatMap((error) =>
    error.instancePath === first.instancePath && error.keyword === 'const' ? [String(error.params.allowedValue)] : [],
  );
  const limit = limitOf(first, alternatives);
  return answer('bad_input', `${field || 'The request'} ${limit ? `must be ${limit}` : first.message}.`, field, limit);
}

/** Fastify's own refusals: bad JSON, a body too large, an unknown media type. */
function ofFramework({ statusCode = 500, code, message }: FastifyError): Problem | undefined {
  if (statusCode < 400 || statusCode >= 500) return undefined;
  if (statusCode === 413) hit('jsonBodyBytesMax');
  if (statusCode === 413) return answer('too_large', 'The request is too large.');
  if (statusCode === 404) return answer('not_found', 'There is nothing here.');
  const text =
    code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE' ? 'Send application/json, or application/octet-stream for bytes.' : `The request is malformed: ${message}`;
  return answer('bad_input', text, undefined, undefined, statusCode);
}

/** Every error leaves as a `Problem`. What nobody expected is logged and answered without its text. */
export function answerError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = error.validation
    ? invalid(error.validation as unknown as readonly TLocalizedValidationError[])
    : (expected(error) ?? (request.raw.aborted ? answer('bad_input', 'The request broke off.') : ofFramework(error)));
  if (error.validation?.[0]) hitStated(error.validation[0], request.routeOptions.url ?? '');
  if (isStorageFailure(error)) request.log.error({ err: error }, 'the store has failed');
  if (!known) request.log.error({ err: error }, 'a request failed');
  const body = known ?? answer('internal', 'Something went wrong here; it was logged.');
  const more = error instanceof HttpError ? error.more : {};
  const challenge = more.challenge ?? (body.status === 401 ? CHALLENGE : undefined);
  if (challenge !== undefined) reply.header('www-authenticate', challenge);
  const retryAfterS = more.retryAfterS ?? RETRY_AFTER_S[body.code];
  // Whoever counts requests has said it better already.
  if (retryAfterS !== undefined && !reply.hasHeader('retry-after')) reply.header('retry-after', Math.max(1, Math.ceil(retryAfterS)));
  return reply.code(body.status).header('cache-control', 'no-store').type('application/problem+json').send(body);
}
