import swagger from '@fastify/swagger';
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify';
import type { TSchema } from 'typebox';
import { Type } from 'typebox';
import { workload, workloadIds } from '../../shaders/registry.ts';
import { limits } from '../../shared/limits.ts';
import * as schemas from '../../shared/schemas.ts';
import type { Config } from '../config.ts';
import { fieldTexts, parameterTexts, tagTexts } from './openapi-texts.ts';

/*
 * The description of the requesters' API, made from the schemas that the routes themselves validate with. A route is in it when it has
 * an `operationId`. What all routes of a kind have in common (credentials, idempotency, refusals) is added here, from their `config`.
 */

/** What has a name in the document; wherever else the same schema stands, it is referred to. */
const components: Readonly<Record<string, TSchema>> = {
  AcceptedPage: schemas.acceptedPage,
  AcceptedResult: schemas.acceptedView,
  Account: schemas.accountView,
  ApiKey: schemas.apiKeyView,
  ApiKeyPage: schemas.apiKeyPage,
  ApiKeyRequest: schemas.apiKeyRequest,
  Balance: schemas.balance,
  BlobHash: schemas.blobHash,
  ChecksDone: schemas.checksDone,
  ChecksPolicy: schemas.checksPolicy,
  HistoryPage: schemas.historyPage,
  HistoryRow: schemas.historyRow,
  Job: schemas.jobView,
  JobId: schemas.jobId,
  JobPage: schemas.jobPage,
  JobRequest: schemas.jobRequest,
  MadeApiKey: schemas.madeApiKey,
  Problem: schemas.problem,
  Quote: schemas.quote,
  QuoteRequest: schemas.quoteRequest,
  ResultId: schemas.resultId,
  Scope: schemas.scope,
  StatementPage: schemas.statementPage,
  StatementRow: schemas.statementRow,
};

const bytes = { type: 'string', contentMediaType: 'application/octet-stream' } as const;

/** An answer that is no JSON. */
export const bytesOf = (description: string, mediaType = 'application/octet-stream') => ({
  description,
  content: { [mediaType]: { schema: Type.Unsafe<unknown>(bytes) } },
});

/** For `schema.security` of routes that guests may ask as well. */
export const anybody = (scope?: schemas.Scope) => [{}, { apiKey: scope ? [scope] : [] }, { session: [] }];

const problemTexts: Readonly<Record<number, string>> = {
  400: 'A parameter, a header or a field of the body is missing, unknown or outside its limit.',
  401: 'There is no session and no API key, or the key is wrong, revoked or expired.',
  402: 'The account, or the budget of the API key, does not cover the price.',
  403: 'It is not yours to do, or the API key lacks the scope.',
  404: 'There is no such thing, or you may not see it.',
  409: 'The present state does not allow it.',
  413: 'The body is too large.',
  415: 'The body has another media type than the ones listed.',
  422: 'Understood, but the content is refused.',
  429: 'Too many requests, or too much of something. `Retry-After` says in how many seconds to try again.',
};

const retryAfter = { 'Retry-After': { type: 'integer', minimum: 1, description: 'Seconds to wait.' } };

const problemResponse = (description: string, headers?: object) => ({
  description,
  ...(headers ? { headers } : {}),
  content: { 'application/problem+json': { schema: schemas.problem } },
});

const isReading = (method: string): boolean => method === 'GET' || method === 'HEAD';

/** Refusals that follow from what a route is, and those that it names itself. */
function problemsOf({ method, schema, config }: Pick<RouteOptions, 'method' | 'schema' | 'config'>): number[] {
  const { scope, idempotent = false, problems = [] } = config ?? {};
  const { body, querystring, params } = schema ?? {};
  const found = new Set<number>([401, 429, ...problems]);
  if (body || querystring || params || idempotent) found.add(400);
  if (scope !== 'any' || !isReading(String(method))) found.add(403);
  if (params) found.add(404);
  if (idempotent) found.add(409).add(422);
  if (!isReading(String(method))) found.add(400).add(413).add(415);
  return [...found].sort();
}

const idempotencyHeader = Type.Object({
  'Idempotency-Key': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: limits.idempotencyKeyCharsMax,
      description: 'A fresh text for every request, such as a UUID. The same request with the same key gets the same answer for 24 hours.',
      examples: ['8e03978e-40d5-43dd-bc93-6894a57f9324'],
    }),
  ),
});

/** What the route's own schema leaves to be said by its kind. */
function complete(route: RouteOptions): FastifySchema {
  const { schema = {}, config, method } = route;
  const { scope, idempotent = false } = config ?? {};
  const refusals = problemsOf({ schema, config: config ?? {}, method }).map((status) => [
    status,
    problemResponse(problemTexts[status] ?? 'Refused.', status === 429 ? retryAfter : undefined),
  ]);
  const security = scope === undefined ? [{ session: [] }] : scope === 'any' ? anybody() : [{ apiKey: [scope] }, { session: [] }];
  return {
    security,
    ...schema,
    ...(idempotent ? { headers: idempotencyHeader } : {}),
    response: {
      ...(schema.response as object),
      ...Object.fromEntries(refusals),
      default: problemResponse('Something went wrong here, or the coordinator is busy (then with `Retry-After`).'),
    },
  };
}

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Writes a name wherever a named schema stands. `except`: the component that is being written itself. */
function referring(value: unknown, names: ReadonlyMap<string, string>, except?: string): unknown {
  if (Array.isArray(value)) return value.map((each) => referring(each, names));
  if (!isObject(value)) return value;
  const name = names.get(JSON.stringify(value));
  if (name !== undefined && name !== except) return { $ref: `#/components/schemas/${name}` };
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, referring(each, names)]));
}

/** Fields that say nothing of themselves get their text. */
function describeFields(schema: Json, texts: Readonly<Record<string, string>>): void {
  const properties = isObject(schema.properties) ? schema.properties : {};
  for (const [field, text] of Object.entries(texts)) {
    const property = properties[field];
    if (isObject(property) && property.description === undefined) properties[field] = { description: text, ...property };
  }
}

/** A choice between texts as readers know it. */
function withEnums(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withEnums);
  if (!isObject(value)) return value;
  const { anyOf, ...rest } = value;
  const texts =
    Array.isArray(anyOf) && anyOf.every((each) => isObject(each) && typeof each.const === 'string') ? anyOf.map((each) => (each as Json).const) : null;
  if (texts) return { ...rest, type: 'string', enum: texts };
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withEnums(each)]));
}

/** Made from a workload that is installed, so that it can be sent as it is. */
function exampleRequests(): Readonly<Record<string, object>> {
  const [id = ''] = workloadIds;
  const spec = workload(id)?.spec;
  const defaults = (spec?.defaults ?? {}) as Record<string, unknown>;
  const quoted = { workload: id, params: defaults, files: {} };
  const [more] = spec?.extension?.fields ?? [];
  const extended = { params: more === undefined ? {} : { [more]: 2 * Number(defaults[more]) } };
  return {
    quoteJob: quoted,
    submitJob: { ...quoted, title: 'Kitchen at dusk', visibility: 'unlisted' },
    quoteExtension: extended,
    extendJob: extended,
    setVisibility: { visibility: 'private' },
    reportJob: { reason: 'rights', text: 'It is my room.' },
    createWebhook: { url: 'https://example.com/hook', events: ['job.done'] },
    deleteAccount: { forfeit: true },
    makeApiKey: { name: 'Build server', scopes: ['jobs:read', 'jobs:write'], budgetMicroCredits: '5000000' },
  };
}

const okTexts: Readonly<Record<string, string>> = { 200: 'Done.', 201: 'Made.' };

/** Words and examples of one operation. */
function describeOperation(operation: Json, examples: Readonly<Record<string, object>>): void {
  for (const parameter of (operation.parameters ?? []) as Json[]) parameter.description ??= parameterTexts[String(parameter.name)];
  for (const [status, response] of Object.entries(operation.responses as Record<string, Json>))
    if (response.description === 'Default Response') response.description = okTexts[status] ?? 'Done.';
  const example = examples[String(operation.operationId)];
  const json = (operation.requestBody as { content: Record<string, Json> } | undefined)?.content['application/json'];
  if (json && example) json.example = example;
}

interface Document extends Json {
  components: { schemas: Record<string, Json> };
  paths: Record<string, Record<string, Json>>;
  tags?: { name: string; description?: string }[];
}

/** References, texts and tags. */
function finish(document: Document): Document {
  const { schemas: named } = document.components;
  const names = new Map(Object.entries(named).map(([name, schema]) => [JSON.stringify(schema), name]));
  document.paths = referring(document.paths, names) as Document['paths'];
  for (const [name, schema] of Object.entries(named)) named[name] = referring(schema, names, name) as Json;
  for (const [name, texts] of Object.entries(fieldTexts)) if (named[name]) describeFields(named[name], texts);
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
  const examples = exampleRequests();
  for (const operation of operations) describeOperation(operation, examples);
  const tags = new Set(operations.flatMap(({ tags: own = [] }) => own as string[]));
  document.tags = [...tags].map((name) => ({ name, ...(tagTexts[name] ? { description: tagTexts[name] } : {}) }));
  return withEnums(document) as Document;
}

/** To be called before any route is added; the document has the routes of later as well. */
export async function describeApi(app: FastifyInstance, { publicOrigin }: Pick<Config, 'publicOrigin'>): Promise<void> {
  // The schemas describe answers, they do not cut them.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  await app.register(swagger, {
    convertConstToEnum: false,
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Tessera',
        version: '1',
        summary: 'Order GPU work from a network of browsers: what can be computed is listed at `/api/workloads`.',
        description:
          'Quote a job, submit it, follow it, download its files. Amounts of credits are decimal strings of micro-credits, times are milliseconds since 1970. Refusals are problem details (RFC 9457).',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: publicOrigin ?? '/' }],
      components: {
        schemas: components as Record<string, object>,
        securitySchemes: {
          apiKey: { type: 'http', scheme: 'bearer', description: 'An API key of your account: `tk_<id>_<secret>`. Make one on the account page.' },
          session: {
            type: 'apiKey',
            in: 'cookie',
            name: '__Host-tessera',
            description: 'The session of a browser; `tessera` where the address is no secure one.',
          },
        },
      },
    },
    transform: ({ schema, url, route }) =>
      schema?.operationId === undefined ? { schema: { ...schema, hide: true }, url } : { schema: complete(route as RouteOptions), url },
    transformObject: (made) => finish(('openapiObject' in made ? made.openapiObject : made.swaggerObject) as unknown as Document) as never,
  });
}

export function serveDescription(app: FastifyInstance): void {
  app.get('/api/openapi.json', { config: { scope: 'any' } }, async (_request, reply) => {
    reply.header('cache-control', 'no-cache');
    return app.swagger();
  });
}
