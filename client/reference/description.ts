/** What the reference shows of an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.0), read without knowing any operation. */

export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
}
interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: Schema;
}
type Content = Readonly<Record<string, { readonly schema?: Schema; readonly example?: unknown }>>;
interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>;
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
}
export interface Description {
  readonly info: { readonly title: string; readonly description?: string };
  readonly tags?: readonly { readonly name: string; readonly description?: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** One row of a table. */
export interface Row {
  readonly name: string;
  readonly type: string;
  /** An object of its own, elsewhere on the page. */
  readonly link: string | null;
  readonly required: boolean;
  readonly text: string;
}

export interface Entry {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly summary: string;
  readonly text: string;
  /** Who may: `everybody`, a scope of API keys, or only a session. */
  readonly access: string;
  readonly parameters: readonly Row[];
  readonly body: { readonly mediaType: string; readonly rows: readonly Row[]; readonly link: string | null } | null;
  readonly answers: readonly {
    readonly status: string;
    readonly text: string;
    readonly mediaType: string | null;
    readonly rows: readonly Row[];
    readonly link: string | null;
  }[];
  /** Statuses of refusals. */
  readonly refusals: readonly string[];
  readonly curl: string;
}

export const objectOf = (ref: string): string => ref.slice(ref.lastIndexOf('/') + 1);

/** `text`, `integer, 1 to 8192`, `list of Job`, `"open" or "done"`. */
export function typeOf(schema: Schema): { readonly type: string; readonly link: string | null } {
  if (schema.$ref !== undefined) return { type: objectOf(schema.$ref), link: objectOf(schema.$ref) };
  if (schema.anyOf) {
    const each = schema.anyOf.map(typeOf);
    return { type: each.map(({ type }) => type).join(' or '), link: each.find(({ link }) => link !== null)?.link ?? null };
  }
  if (schema.const !== undefined) return { type: JSON.stringify(schema.const), link: null };
  if (schema.enum) return { type: schema.enum.map((value) => JSON.stringify(value)).join(' or '), link: null };
  const { type } = schema;
  if (type === 'array') {
    const items = typeOf(schema.items ?? {});
    return { type: `list of ${items.type}`, link: items.link };
  }
  const names = [type ?? 'any'].flat().map((name) => (name === 'string' ? 'text' : name));
  return { type: [names.join(' or '), ...limitsOf(schema)].join(', '), link: null };
}

function limitsOf({ minimum, maximum, minLength, maxLength, minItems, maxItems }: Schema): string[] {
  const range = (from: number | undefined, to: number | undefined, unit: string): string[] => {
    if (from !== undefined && to !== undefined) return [`${from} to ${to}${unit}`];
    if (to !== undefined) return [`at most ${to}${unit}`];
    return from === undefined || (from === 0 && unit !== '') ? [] : [`at least ${from}${unit}`];
  };
  return [...range(minimum, maximum, ''), ...range(minLength, maxLength, ' characters'), ...range(minItems, maxItems, ' entries')];
}

/** Fields of an object; those of an object without a name of its own stand under theirs, `parts.total`, `jobs[].id`. */
export function fieldsOf(schema: Schema, prefix = ''): Row[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    const row = { name: path, ...typeOf(field), required: schema.required?.includes(name) ?? false, text: field.description ?? '' };
    if (field.properties) return [row, ...fieldsOf(field, `${path}.`)];
    return field.items?.properties ? [row, ...fieldsOf(field.items, `${path}[].`)] : [row];
  });
}

const contentOf = (content: Content | undefined): { readonly mediaType: string | null; readonly rows: readonly Row[]; readonly link: string | null } => {
  const [mediaType, { schema }] = Object.entries(content ?? {})[0] ?? [null, {} as Content[string]];
  if (!schema) return { mediaType, rows: [], link: null };
  return { mediaType, rows: fieldsOf(schema), link: typeOf(schema).link };
};

function accessOf(security: Operation['security']): string {
  const schemes = security ?? [];
  if (schemes.length === 0 || schemes.some((each) => Object.keys(each).length === 0)) return 'Everybody';
  const scopes = schemes.flatMap((each) => each.apiKey ?? []);
  return scopes.length > 0 ? `A session, or an API key with the scope ${scopes.join(', ')}` : 'A session';
}

function curlOf(origin: string, method: string, path: string, { requestBody, security }: Operation): string {
  const [mediaType, { example }] = Object.entries(requestBody?.content ?? {})[0] ?? ['', {} as Content[string]];
  const lines = [`curl${method === 'GET' ? '' : ` -X ${method}`} ${origin}${path}`];
  if (accessOf(security) !== 'Everybody') lines.push(`  -H "Authorization: Bearer $TESSERA_KEY"`);
  if (mediaType) lines.push(`  -H "Content-Type: ${mediaType}"`);
  if (example !== undefined) lines.push(`  -d '${JSON.stringify(example)}'`);
  else if (mediaType === 'application/json') lines.push("  -d '{}'");
  return lines.join(' \\\n');
}

function entryOf(origin: string, method: string, path: string, operation: Operation): Entry {
  const answers = Object.entries(operation.responses);
  const content = contentOf(operation.requestBody?.content);
  return {
    id: operation.operationId,
    method,
    path,
    summary: operation.summary,
    text: operation.description ?? '',
    access: accessOf(operation.security),
    parameters: (operation.parameters ?? []).map(({ name, in: place, required = false, description = '', schema = {} }) => {
      const { type, link } = typeOf(schema);
      return { name, type: `${type}, in the ${place}`, link, required, text: description };
    }),
    body: content.mediaType === null ? null : { ...content, mediaType: content.mediaType },
    answers: answers
      .filter(([status]) => /^2/.test(status))
      .map(([status, { description, content: given }]) => ({ status, text: description, ...contentOf(given) })),
    refusals: answers.flatMap(([status]) => (/^[45]/.test(status) ? [status] : [])),
    curl: curlOf(origin, method, path, operation),
  };
}

/** Operations by their tags, those with most of them first. */
export function sectionsOf({ tags = [], paths }: Description, origin: string): { name: string; text: string; entries: Entry[] }[] {
  const all = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      tag: operation.tags?.[0] ?? '',
      entry: entryOf(origin, method.toUpperCase(), path, operation),
    })),
  );
  const names = [...new Set([...tags.map(({ name }) => name), ...all.map(({ tag }) => tag)])];
  const sections = names.map((name) => ({
    name,
    text: tags.find((tag) => tag.name === name)?.description ?? '',
    entries: all.filter(({ tag }) => tag === name).map(({ entry }) => entry),
  }));
  return sections.sort((a, b) => b.entries.length - a.entries.length);
}
