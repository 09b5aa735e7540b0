import type { TSchema } from 'typebox';
import { Errors } from 'typebox/value';
import type { ApiError } from '../net/api.ts';

export type FieldErrors = Readonly<Record<string, string>>;

interface Issue {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message: string;
  readonly params: object;
}

function sentence({ keyword, params, message }: Issue): string {
  const limit = 'limit' in params ? String(params.limit) : '';
  const type = 'type' in params ? params.type : '';
  if (keyword === 'minimum') return `At least ${limit}.`;
  if (keyword === 'maximum') return `At most ${limit}.`;
  if (type === 'integer') return 'A whole number, please.';
  if (type === 'number') return 'A number, please.';
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
}

/** Parameters against the workload's own schema: the first problem of every field, by field name. */
export function paramErrors(schema: TSchema, params: unknown): FieldErrors {
  const found: Record<string, string> = {};
  for (const issue of Errors(schema, params)) {
    const name = issue.instancePath.split('/')[1];
    if (name && !Object.hasOwn(found, name)) found[name] = sentence(issue);
  }
  return found;
}

/** A refusal by the coordinator, beside the control it names; null when it names none that is shown. */
export function errorBeside(error: ApiError, names: readonly string[]): FieldErrors | null {
  const name = error.field?.split('.').findLast((part) => names.includes(part));
  if (!name) return null;
  return { [name]: error.limit ? `${error.message} Accepted: ${error.limit}` : error.message };
}
