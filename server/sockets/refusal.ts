import type { ErrorBody, ErrorCode } from '../../shared/schemas.ts';

/** What a command is refused with. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly body: ErrorBody;

  /** `retryMs`: when it is worth trying again. */
  constructor(code: ErrorCode, message: string, field?: string, limit?: string, retryMs?: number) {
    super(message);
    const more = { ...(field === undefined ? {} : { field }), ...(limit === undefined ? {} : { limit }), ...(retryMs === undefined ? {} : { retryMs }) };
    this.body = { error: { code, message, ...more } };
  }
}
