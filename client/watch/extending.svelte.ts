import { workload } from '../../shaders/registry.ts';
import type { ExtensionQuote, JobView } from '../../shared/schemas.ts';
import type { Field } from '../../shared/workload.ts';
import { type ApiError, api, asApiError, notLoaded } from '../net/api.ts';

type NumberField = Extract<Field, { kind: 'integer' | 'number' }>;

/** Nobody types faster, and a slower answer would feel like none. */
const QUOTE_DELAY_MS = 250;

/** More of a finished job: what may be raised, what was typed, what it costs. */
export class Extending {
  readonly #job: JobView;
  #fields = $state.raw<readonly NumberField[]>([]);
  #values = $state.raw<Readonly<Record<string, number>>>({});
  #quote = $state.raw<ExtensionQuote | null>(null);
  #error = $state.raw<ApiError | null>(null);
  #busy = $state(false);
  #asking: AbortController | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(job: JobView) {
    this.#job = job;
  }

  /** Whether jobs of this kind can be extended at all, and by this page. */
  static isPossible({ workload: id, version, status, deletedMs }: JobView): boolean {
    const spec = workload(id)?.spec;
    return status === 'done' && deletedMs === null && spec?.extension !== undefined && spec.version === version;
  }

  get fields(): readonly NumberField[] {
    return this.#fields;
  }
  get quote(): ExtensionQuote | null {
    return this.#quote;
  }
  get error(): ApiError | null {
    return this.#error;
  }
  get busy(): boolean {
    return this.#busy;
  }

  /** The form is loaded when it is opened: its schema brings a library. */
  async open(): Promise<void> {
    const entry = workload(this.#job.workload);
    const names = entry?.spec.extension?.fields ?? [];
    try {
      const fields = (await entry?.form())?.fields ?? [];
      this.#fields = fields.flatMap((field) => (names.includes(field.name) && (field.kind === 'integer' || field.kind === 'number') ? [field] : []));
    } catch {
      this.#error = notLoaded;
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#asking?.abort();
  }

  /** What was typed, or what the job has. */
  valueOf(name: string): number {
    return this.#values[name] ?? this.#before(name);
  }

  /** Of a field, what was refused about it. */
  errorOf(name: string): string | undefined {
    const error = this.#error;
    if (error?.field !== `params.${name}`) return undefined;
    return error.limit === undefined ? error.message : `${error.message} Accepted: ${error.limit}.`;
  }

  set(name: string, value: number): void {
    const { [name]: _, ...others } = this.#values;
    this.#values = value === this.#before(name) ? others : { ...others, [name]: value };
    this.#quote = null;
    this.#error = null;
    clearTimeout(this.#timer);
    this.#asking?.abort();
    if (Object.keys(this.#values).length > 0) this.#timer = setTimeout(() => void this.#ask(), QUOTE_DELAY_MS);
  }

  /** Orders it for no more than the price that is shown. Null when that was refused. */
  async confirm(): Promise<JobView | null> {
    const quote = this.#quote;
    if (!quote) return null;
    this.#busy = true;
    try {
      return await api.extendJob(this.#job.id, { params: this.#values, holdMicroCreditsMax: quote.holdMicroCredits });
    } catch (error) {
      this.#error = asApiError(error);
      return null;
    } finally {
      this.#busy = false;
    }
  }

  async #ask(): Promise<void> {
    const asking = new AbortController();
    this.#asking = asking;
    try {
      const quote = await api.quoteExtension(this.#job.id, { params: this.#values }, asking.signal);
      if (!asking.signal.aborted) this.#quote = quote;
    } catch (error) {
      if (!asking.signal.aborted) this.#error = asApiError(error);
    }
  }

  #before(name: string): number {
    const given = this.#job.params as Readonly<Record<string, number | undefined>>;
    const defaults = workload(this.#job.workload)?.spec.defaults as Readonly<Record<string, number>> | undefined;
    return given[name] ?? defaults?.[name] ?? 0;
  }
}
