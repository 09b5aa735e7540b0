import type { Field } from '../../shared/workload.ts';

/** What the fields of a workload's form say of an order, for the pages and the command line alike. */

/** As much of a field as is needed here: the pages have them from the form, programs from `/api/workloads`. */
export type FormField = Pick<Field, 'kind' | 'name' | 'label'> & {
  readonly when?: { readonly field: string; readonly is: readonly string[] } | undefined;
  readonly accept?: string;
  readonly required?: boolean;
};

type Params = Readonly<Record<string, unknown>>;

/** `.glb,model/gltf-binary` -> `['.glb']` */
export const extensions = (accept = ''): string[] => accept.split(',').flatMap((part) => (part.trim().startsWith('.') ? [part.trim().toLowerCase()] : []));

export const takes = (field: FormField, fileName: string): boolean =>
  field.kind === 'file' && extensions(field.accept).some((extension) => fileName.toLowerCase().endsWith(extension));

/** Names of the fields whose conditions hold. A condition is about a field before it. */
export function shownNames(fields: readonly FormField[], params: Params): ReadonlySet<string> {
  const shown = new Set<string>();
  for (const { name, when } of fields) {
    const holds = !when || (shown.has(when.field) && when.is.includes(String(params[when.field])));
    if (holds) shown.add(name);
  }
  return shown;
}

/** What is ordered: of hidden fields the default, and nothing where there is none. */
export function orderedParams(fields: readonly FormField[], params: Params, defaults: Params): Record<string, unknown> {
  const shown = shownNames(fields, params);
  const ordered: Record<string, unknown> = { ...params };
  for (const { name } of fields) {
    if (shown.has(name)) continue;
    if (name in defaults) ordered[name] = defaults[name];
    else delete ordered[name];
  }
  return ordered;
}

/** The choices that show a field; none where it is shown already. */
export function choicesShowing(fields: readonly FormField[], name: string, params: Params): Record<string, string> {
  const when = fields.find((field) => field.name === name)?.when;
  if (!when || shownNames(fields, params).has(name)) return {};
  const holds = when.is.includes(String(params[when.field]));
  return { ...choicesShowing(fields, when.field, params), ...(!holds && { [when.field]: when.is[0] ?? '' }) };
}

/**
 * The field that a file of this name goes to: the first that takes it and has none yet, those that are shown before those that are hidden.
 * Undefined when none does.
 */
export function emptyFieldFor(fields: readonly FormField[], fileName: string, filled: ReadonlySet<string>, params: Params): string | undefined {
  const empty = fields.filter((field) => takes(field, fileName) && !filled.has(field.name));
  const shown = shownNames(fields, params);
  return (empty.find(({ name }) => shown.has(name)) ?? empty[0])?.name;
}
