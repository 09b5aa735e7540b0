import type { ErrorCode } from '../../shared/schemas.ts';

/** A refusal by the coordinator (RFC 9457, problem+json), or `offline` when no answer came at all. */
export class TesseraError extends Error {
  override readonly name = 'TesseraError';
  readonly code: ErrorCode | 'offline';
  /** Of HTTP; 0 without an answer. */
  readonly status: number;
  /** Which input is wrong, as a path like `params.width`. */
  readonly field: string | undefined;
  /** What would have been accepted. */
  readonly limit: string | undefined;
  /** How long the coordinator asks to wait before the next try; null when it says nothing. */
  readonly retryAfterMs: number | null;

  constructor(code: TesseraError['code'], message: string, more: Partial<Pick<TesseraError, 'status' | 'field' | 'limit' | 'retryAfterMs'>> = {}) {
    super(message);
    this.code = code;
    this.status = more.status ?? 0;
    this.field = more.field;
    this.limit = more.limit;
    this.retryAfterMs = more.retryAfterMs ?? null;
  }
}

interface Problem {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly field?: string;
  readonly limit?: string;
}

const isProblem = (value: unknown): value is Problem =>
  typeof value === 'object' && value !== null && typeof (value as Problem).code === 'string' && typeof (value as Problem).detail === 'string';

/** RFC 9110, 10.2.3: seconds, or a date. */
function retryAfterOf(header: string | null): number | null {
  if (header === null) return null;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}

/** Of answers without a body, as those to HEAD. */
const codes: Readonly<Record<number, ErrorCode>> = {
  400: 'bad_input',
  401: 'signed_out',
  403: 'forbidden',
  404: 'not_found',
  409: 'conflict',
  429: 'too_many',
  503: 'busy',
};

/** What an answer that is not 2xx says. A proxy's page still gives a readable sentence. */
export async function errorOf(response: Response): Promise<TesseraError> {
  const body: unknown = await response.json().catch(() => null);
  const { status } = response;
  const retryAfterMs = retryAfterOf(response.headers.get('retry-after'));
  if (!isProblem(body)) return new TesseraError(codes[status] ?? 'internal', `The coordinator answered with status ${status}.`, { status, retryAfterMs });
  const { code, detail, field, limit } = body;
  return new TesseraError(code, detail, { status, field, limit, retryAfterMs });
}
