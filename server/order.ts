import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { workload } from '../shaders/registry.ts';
import { type ChecksPolicy, defaultChecks, type QuoteRequest } from '../shared/schemas.ts';
import { InputError, type WorkloadForm, type WorkloadSpec } from '../shared/workload.ts';

/** What an order asks for, its parameters checked against the workload's own schema. Throws `InputError` naming the field. */
export async function readRequest(request: QuoteRequest): Promise<{ spec: WorkloadSpec; form: WorkloadForm; params: unknown; checks: ChecksPolicy }> {
  const entry = workload(request.workload);
  if (!entry) throw new InputError('workload', `There is no workload called ${JSON.stringify(request.workload)}.`);
  const form = await entry.form();
  const error = Value.Errors(form.params, request.params)[0];
  if (error)
    throw new InputError(
      `params${error.instancePath.replaceAll('/', '.')}`,
      `${error.instancePath.slice(1) || 'params'} ${error.message}`,
      limitOf(form.params, error.instancePath),
    );
  return { spec: entry.spec, form, params: request.params, checks: request.checks ?? defaultChecks };
}

/** What a numeric field would have accepted, from its schema. */
export function limitOf(schema: TSchema, path: string): string | undefined {
  const field = (schema as { properties?: Record<string, { minimum?: number; maximum?: number }> }).properties?.[path.slice(1)];
  return field?.minimum !== undefined && field.maximum !== undefined ? `${field.minimum} to ${field.maximum}` : undefined;
}
