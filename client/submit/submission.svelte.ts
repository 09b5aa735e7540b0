import type { BlobHash, GroupId, GroupMode } from '../../shared/model.ts';
import type { JobRequest, JobView, Quote, QuoteRequest } from '../../shared/schemas.ts';
import type { WorkloadForm, WorkloadSpec } from '../../shared/workload.ts';
import { type ApiError, api, asApiError } from '../net/api.ts';
import { session } from '../net/session.svelte.ts';
import { Attachment } from './attachment.svelte.ts';
import { type Certainty, certainties } from './checks.ts';
import { errorBeside, type FieldErrors, paramErrors } from './validation.ts';

/** Typing is one question, not ten. */
const QUOTE_DELAY_MS = 400;

/** One job being put together: parameters and files of a workload, what is wrong with them, and what it would cost. */
export class Submission {
  readonly spec: WorkloadSpec;
  readonly form: WorkloadForm;
  params = $state<Record<string, unknown>>({});
  title = $state('');
  visibility = $state<JobRequest['visibility']>('public');
  certainty = $state<Certainty>('usual');
  #group = $state<GroupId | null>(null);
  #groupMode = $state<GroupMode | null>(null);
  #files = $state.raw<Readonly<Record<string, Attachment>>>({});
  #quote = $state.raw<Quote | null>(null);
  #refusal = $state.raw<ApiError | null>(null);
  #busy = $state<'quoting' | 'submitting' | null>(null);
  #touched = $state(false);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking = new AbortController();

  readonly #local = $derived.by((): FieldErrors => paramErrors(this.form.params, this.params));
  readonly #remote = $derived.by((): FieldErrors | null => (this.#refusal ? errorBeside(this.#refusal, this.#names) : null));

  constructor(spec: WorkloadSpec, form: WorkloadForm) {
    this.spec = spec;
    this.form = form;
    this.params = { ...(spec.defaults as Record<string, unknown>) };
  }

  get files(): Readonly<Record<string, Attachment>> {
    return this.#files;
  }
  /** Null together with `groupMode`: everybody alike. */
  get group(): GroupId | null {
    return this.#group;
  }
  get groupMode(): GroupMode | null {
    return this.#groupMode;
  }
  /** Computed by members as a favour: nothing is held or paid. */
  get free(): boolean {
    return this.#groupMode === 'only';
  }
  get quote(): Quote | null {
    return this.#quote;
  }
  get busy(): 'quoting' | 'submitting' | null {
    return this.#busy;
  }
  get touched(): boolean {
    return this.#touched;
  }
  get errors(): FieldErrors {
    return { ...this.#remote, ...this.#local };
  }
  /** A refusal that belongs to no control on the page. */
  get problem(): ApiError | null {
    return this.#refusal && !this.#remote ? this.#refusal : null;
  }
  /** What the account is short of, in micro-credits; null when it has enough or nothing is known. */
  get missing(): bigint | null {
    const balance = session.testMicroCredits;
    const short = !this.free && this.#quote && balance !== null ? BigInt(this.#quote.holdMicroCredits) - balance : 0n;
    return short > 0n ? short : null;
  }
  get ready(): boolean {
    return this.#quote !== null && this.#busy === null && this.missing === null && this.title.trim() !== '' && Object.keys(this.#local).length === 0;
  }

  chooseGroup(mode: GroupMode | null, group: GroupId | null): void {
    this.#groupMode = group === null ? null : mode;
    this.#group = mode === null ? null : group;
    this.#refusal = null;
  }

  set(name: string, value: unknown): void {
    this.params[name] = value;
    this.quoteSoon();
  }

  async attach(field: string, file: File | null): Promise<void> {
    this.#files[field]?.cancel();
    const { [field]: _, ...others } = this.#files;
    const attachment = file ? new Attachment(file) : null;
    this.#files = attachment ? { ...others, [field]: attachment } : others;
    this.#quote = null;
    if (!attachment) return this.quoteSoon();
    // The first file is what the job is about; others go with it.
    const subject = this.form.fields.find(({ kind }) => kind === 'file')?.name;
    if (field === subject && this.title.trim() === '') this.title = attachment.name.replace(/\.[^.]+$/, '').slice(0, 80);
    await attachment.send();
    this.quoteSoon();
  }

  quoteSoon(): void {
    this.#touched = true;
    this.#quote = null;
    this.#refusal = null;
    this.#asking.abort();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), QUOTE_DELAY_MS);
  }

  async submit(): Promise<JobView | null> {
    this.#busy = 'submitting';
    this.#refusal = null;
    try {
      const group = this.#group && this.#groupMode ? { group: this.#group, groupMode: this.#groupMode } : {};
      return await api.submitJob({ ...this.#request(), title: this.title.trim(), visibility: this.free ? 'unlisted' : this.visibility, ...group });
    } catch (error) {
      this.#refusal = asApiError(error);
      return null;
    } finally {
      this.#busy = null;
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#asking.abort();
    for (const attachment of Object.values(this.#files)) attachment.cancel();
  }

  get #names(): readonly string[] {
    return [...this.form.fields.map(({ name }) => name), 'title', 'checks', 'targetError', 'visibility', 'group'];
  }

  #request(): QuoteRequest {
    const files: Record<string, BlobHash> = {};
    for (const [name, { hash }] of Object.entries(this.#files)) if (hash) files[name] = hash;
    return { workload: this.spec.id, params: $state.snapshot(this.params), files, checks: certainties[this.certainty].policy };
  }

  async #ask(): Promise<void> {
    const sending = Object.values(this.#files).some(({ hash }) => !hash);
    if (sending || Object.keys(this.#local).length > 0) return;
    const asking = new AbortController();
    this.#asking = asking;
    this.#busy = 'quoting';
    try {
      this.#quote = await api.quote(this.#request(), asking.signal);
    } catch (error) {
      if (!asking.signal.aborted) this.#refusal = asApiError(error);
    } finally {
      if (this.#asking === asking) this.#busy = null;
    }
  }
}
