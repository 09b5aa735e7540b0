import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { expect } from 'vitest';

/** What the tests read of a description. */
interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
}
export interface Parameter {
  readonly in: 'path' | 'query' | 'header';
  readonly name: string;
  readonly description?: string;
  readonly schema: Schema;
}
export interface Operation {
  readonly operationId: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema; readonly example?: unknown }>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly method: string;
  readonly path: string;
}
export interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Omit<Operation, 'method' | 'path'>>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** One request, by the document's own terms. */
export interface Call {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON, unless it is text, which is sent as it is. */
  readonly body?: unknown;
}
export interface Answer<Body> {
  readonly status: number;
  readonly body: Body;
  readonly headers: Headers;
}

const pointer = (...steps: readonly string[]): string => steps.map((step) => `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

/** Sends requests to a coordinator and holds every answer against its own description. */
export class Contract {
  readonly document: Document;
  readonly operations: ReadonlyMap<string, Operation>;
  /** Good answers that were seen, as `operationId status`. */
  readonly seen = new Set<string>();
  readonly #url: () => string;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });
  readonly #compiled = new Map<string, ValidateFunction>();

  constructor(document: Document, url: () => string) {
    this.document = document;
    this.#url = url;
    this.#ajv.addSchema(document, 'api');
    this.operations = new Map(
      Object.entries(document.paths).flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, operation]) => [operation.operationId, { ...operation, method, path }] as const),
      ),
    );
  }

  operation(id: string): Operation {
    const operation = this.operations.get(id);
    if (!operation) throw new Error(`the document has no ${id}`);
    return operation;
  }

  #validator(at: string): ValidateFunction {
    const known = this.#compiled.get(at) ?? this.#ajv.compile({ $ref: `api#${at}` });
    this.#compiled.set(at, known);
    return known;
  }

  /** Whether the document accepts this body, or this field of it. */
  accepts(operation: Operation, body: unknown): boolean {
    return this.#validator(pointer('paths', operation.path, operation.method, 'requestBody', 'content', 'application/json', 'schema'))(body);
  }

  bodySchema({ requestBody }: Operation): Schema | undefined {
    const schema = requestBody?.content['application/json']?.schema;
    return schema?.$ref ? this.document.components.schemas[schema.$ref.split('/').at(-1) ?? ''] : schema;
  }

  /** Fails when the answer is not as the document says. */
  async send<Body = { code: string; field?: string; limit?: string }>(id: string, call: Call = {}): Promise<Answer<Body>> {
    const operation = this.operation(id);
    const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(call.params?.[name] ?? `no-${name}`));
    const query = new URLSearchParams(Object.entries(call.query ?? {}).map(([name, value]): [string, string] => [name, String(value)]));
    const hasBody = call.body !== undefined;
    const response = await fetch(`${this.#url()}${path}${query.size > 0 ? `?${query}` : ''}`, {
      method: operation.method.toUpperCase(),
      headers: { ...(hasBody ? { 'content-type': 'application/json' } : {}), ...call.headers },
      ...(hasBody ? { body: typeof call.body === 'string' ? call.body : JSON.stringify(call.body) } : {}),
    });
    const body = await this.#checked(operation, response, JSON.stringify(call).slice(0, 300));
    if (response.ok) this.seen.add(`${id} ${response.status}`);
    return { status: response.status, body: body as Body, headers: response.headers };
  }

  async #checked({ operationId, method, path, responses }: Operation, response: Response, said: string): Promise<unknown> {
    const what = `${operationId} ${response.status} to ${said}`;
    const status = String(response.status);
    const documented = responses[status] ?? (response.status >= 500 ? responses.default : undefined);
    expect(documented, `${what}: undocumented`).toBeDefined();
    const mediaType = (response.headers.get('content-type') ?? '').split(';')[0] ?? '';
    const types = Object.keys(documented?.content ?? {});
    if (types.length === 0) {
      expect((await response.arrayBuffer()).byteLength, what).toBe(0);
      return undefined;
    }
    const type = types.find((each) => each === mediaType || each === '*/*');
    expect(type, `${what}: ${mediaType} is not among ${types}`).toBeDefined();
    if (!/json$/.test(mediaType)) return Buffer.from(await response.arrayBuffer());
    const body: unknown = await response.json();
    const validate = this.#validator(pointer('paths', path, method, 'responses', responses[status] ? status : 'default', 'content', type ?? '', 'schema'));
    expect(validate(body) ? [] : validate.errors, what).toEqual([]);
    if (!response.ok) expect((body as { status: number }).status, what).toBe(response.status);
    if (response.status === 429) expect(Number(response.headers.get('retry-after')), what).toBeGreaterThan(0);
    return body;
  }
}

/** A good body of an operation -> what the document itself says is none: every field missing, wrong and unknown. */
export function badBodies(contract: Contract, operation: Operation, good: Readonly<Record<string, unknown>>): [string, object][] {
  const { properties = {}, required = [] } = contract.bodySchema(operation) ?? {};
  const missing = required.map((field): [string, object] => [`without ${field}`, Object.fromEntries(Object.entries(good).filter(([name]) => name !== field))]);
  const wrong = Object.keys(properties).flatMap((field): [string, object][] => {
    const bad = [5, '?'.repeat(500), {}, [], true, null].map((value) => ({ ...good, [field]: value })).find((body) => !contract.accepts(operation, body));
    return bad ? [[`with a wrong ${field}`, bad]] : [];
  });
  return [...missing, ...wrong, ['with an unknown field', { ...good, surprise: 1 }]];
}
