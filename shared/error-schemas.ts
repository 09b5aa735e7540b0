import { type Static, Type } from 'typebox';
import { limits } from './limits.ts';

/** What can go wrong, for HTTP and sockets alike. */
const errorCodes = [
  Type.Literal('bad_input'),
  Type.Literal('not_found'),
  Type.Literal('forbidden'),
  Type.Literal('suspended'),
  Type.Literal('signed_out'),
  Type.Literal('insufficient_credits'),
  Type.Literal('too_many'),
  Type.Literal('too_large'),
  Type.Literal('stale'),
  Type.Literal('busy'),
  Type.Literal('conflict'),
  Type.Literal('internal'),
] as const;
export const errorCode = Type.Union([...errorCodes]);
export type ErrorCode = Static<typeof errorCode>;

/** An error in a socket's acknowledgement. */
export const errorBody = Type.Object({
  error: Type.Object({
    code: errorCode,
    message: Type.String(),
    /** Which input is wrong, as a path like `params.width`. */
    field: Type.Optional(Type.String()),
    /** What would have been accepted. */
    limit: Type.Optional(Type.String()),
    /** Of a refusal that passes: the least time to wait before the next try. */
    retryMs: Type.Optional(Type.Integer({ minimum: 0, maximum: limits.retryMsMax })),
  }),
});
export type ErrorBody = Static<typeof errorBody>;

/** An error as an HTTP answer, `application/problem+json` (RFC 9457). */
export const problem = Type.Object(
  {
    type: Type.String({ description: 'Where this kind of problem is explained, relative to the coordinator.', examples: ['/api#problem-bad_input'] }),
    title: Type.String({ description: 'The kind of problem in a few words, the same for every problem of this type.' }),
    status: Type.Integer({ description: 'The HTTP status of the answer.' }),
    detail: Type.String({ description: 'What is wrong with this request, in a sentence.' }),
    code: errorCode,
    field: Type.Optional(Type.String({ description: 'Which input is wrong: a path such as `params.width`, a parameter or a header.' })),
    limit: Type.Optional(Type.String({ description: 'What would have been accepted.' })),
  },
  { additionalProperties: false },
);
export type Problem = Static<typeof problem>;

/** What each code means, and what to do about it. */
export const problems: Readonly<Record<ErrorCode, { readonly title: string; readonly meaning: string }>> = {
  bad_input: {
    title: 'Bad input',
    meaning: 'A field is missing, unknown or outside its limit. `field` names it, `limit` says what is accepted. Change the request.',
  },
  signed_out: { title: 'Not signed in', meaning: 'There is no session and no API key, or it is wrong, revoked or expired.' },
  insufficient_credits: {
    title: 'Not enough credits',
    meaning: 'The account, or the budget of the API key, does not cover the price. `limit` says what is left.',
  },
  forbidden: { title: 'Not allowed', meaning: 'You are known, but may not do this: it is somebody else’s, or the API key lacks the scope.' },
  suspended: { title: 'Suspended', meaning: 'The account may do nothing of this kind for some time.' },
  not_found: { title: 'Not found', meaning: 'There is no such thing, or it is not yours to see.' },
  stale: { title: 'Out of date', meaning: 'What the request refers to was there and is over. Fetch the present state.' },
  conflict: { title: 'Conflict', meaning: 'The present state does not allow it, such as a file of a job that is not done.' },
  too_large: { title: 'Too large', meaning: 'The body or the file has too many bytes.' },
  too_many: { title: 'Too many', meaning: 'Wait for as many seconds as the header `Retry-After` says, then try again.' },
  internal: { title: 'Error of the coordinator', meaning: 'Something went wrong here; it was logged. Trying again is safe with an `Idempotency-Key`.' },
  busy: { title: 'Busy', meaning: 'The coordinator cannot do this now. Try again after the seconds that `Retry-After` says.' },
};
