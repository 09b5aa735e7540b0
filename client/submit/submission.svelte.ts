import { SECOND_MS } from '../../shared/limits.ts';
import type { BlobHash, CreditUnit, GroupId, GroupMode } from '../../shared/model.ts';
import type { JobRequest, JobView, Quote, QuoteRequest } from '../../shared/schemas.ts';
import type { WorkloadForm, WorkloadSpec } from '../../shared/workload.ts';
import { type ApiError, api, asApiError } from '../net/api.ts';
import { session } from '../net/session.svelte.ts';
import { choicesShowing, orderedParams, shownNames } from '../ui/form-fields.ts';
import { Attachment } from './attachment.svelte.ts';
import { type Certainty, certainties } from './checks.ts';
import { type FileField, fileFields, neededFiles } from './dropping.ts';
import { titleError, titleFrom } from './naming.ts';
import { errorBeside, type FieldErrors, paramErrors } from './validation.ts';

/** Typing and sliding is one question, not ten. */
const QUOTE_DELAY_MS = 400;
/** A price that is said to have ended by a clock that is wrong is not asked for over and over. */
const PRICE_MS_MIN = 60 * SECOND_MS;

/** A quote that may hold its price for a while, and tell when the job would be done. */
export type PromisedQuote = Quote & {
  readonly id?: string;
  readonly expiresMs?: number;
  readonly finish?: { readonly p50Seconds: number; readonly p95Seconds: number } | null;
};

/** What somebody starts from: parameters and files of an example. */
export interface Beginning {
  readonly title: string;
  readonly params: unknown;
  readonly files: Readonly<Record<string, File>>;
  /** Address of what comes out. */
  readonly picture?: string;
}

/** One job being put together: parameters and files of a workload, what is wrong with them, and what it would cost. */
export class Submission {
  readonly spec: WorkloadSpec;
  readonly form: WorkloadForm;
  params = $state<Record<string, unknown>>({});
  title = $state('');
  visibility = $state<JobRequest['visibility']>('public');
  certainty = $state<Certainty>('usual');
  #unit = $state<CreditUnit>('test');
  #group = $state<GroupId | null>(null);
  #groupMode = $state<GroupMode | null>(null);
  #files = $state.raw<Readonly<Record<string, Attachment>>>({});
  #quote = $state.raw<PromisedQuote | null>(null);
  /** The quote is of what was ordered before the last change. */
  #stale = $state(false);
  #refusal = $state.raw<ApiError | null>(null);
  #busy = $state<'quoting' | 'submitting' | null>(null);
  #touched = $state(false);
  #started = $state(false);
  #picture = $state<string | null>(null);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking = new AbortController();

  readonly #shown = $derived.by(() => shownNames(this.form.fields, this.params));
  readonly #ordered = $derived.by(() => orderedParams(this.form.fields, this.params, this.spec.defaults as Record<string, unknown>));
  readonly #local = $derived.by((): FieldErrors => {
    const error = titleError(this.title);
    return { ...paramErrors(this.form.params, this.#ordered), ...(error && { title: error }) };
  });
  readonly #remote = $derived.by((): FieldErrors | null => (this.#refusal ? errorBeside(this.#refusal, this.#names) : null));

  constructor(spec: WorkloadSpec, form: WorkloadForm) {
    this.spec = spec;
    this.form = form;
    this.params = { ...(spec.defaults as Record<string, unknown>) };
  }

  /** There is something to order: files or an example were chosen, or it was begun without. */
  get started(): boolean {
    return this.#started;
  }
  get files(): Readonly<Record<string, Attachment>> {
    return this.#files;
  }
  /** What came out of the example that this is; null once other files were chosen. */
  get picture(): string | null {
    return this.#picture;
  }
  /** Names of the fields whose conditions hold. */
  get shown(): ReadonlySet<string> {
    return this.#shown;
  }
  /** `params`, but for fields that are hidden: of those the default. */
  get ordered(): Readonly<Record<string, unknown>> {
    return this.#ordered;
  }
  /** Files that must be there and are not chosen yet. */
  get needed(): readonly FileField[] {
    return neededFiles(this.form.fields, this.params).filter(({ name }) => !this.#files[name]);
  }
  /** It may be ordered as it stands, without any file. */
  get startsPlain(): boolean {
    return this.needed.length === 0;
  }
  /** Share of all files that has been sent; null when none is under way. */
  get sending(): number | null {
    const sent = Object.values(this.#files).filter(({ error }) => !error);
    if (sent.every(({ hash }) => hash)) return null;
    const bytes = sent.reduce((sum, { file }) => sum + file.size, 0);
    return sent.reduce((sum, { file, hash, share }) => sum + file.size * (hash ? 1 : share), 0) / bytes;
  }
  /** Some upload waits for the network. */
  get stalled(): boolean {
    return Object.values(this.#files).some(({ stalled }) => stalled !== null);
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
  /** What it is paid with: credits only while the account has some. */
  get unit(): CreditUnit {
    return this.hasCredits ? this.#unit : 'test';
  }
  get hasCredits(): boolean {
    return (session.creditMicroCredits ?? 0n) > 0n;
  }
  /** All of that unit in micro-credits; null while nothing is known. */
  get available(): bigint | null {
    return this.unit === 'test' ? session.testMicroCredits : session.creditMicroCredits;
  }
  /** The last one; `stale` tells whether it is of something else than is ordered now. */
  get quote(): PromisedQuote | null {
    return this.#quote;
  }
  get stale(): boolean {
    return this.#stale;
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
  /** Nothing is wrong with the parameters as far as can be told here. */
  get drawable(): boolean {
    return Object.keys(this.#local).every((name) => name === 'title');
  }
  /** A refusal that belongs to no control on the page. */
  get problem(): ApiError | null {
    return this.#refusal && !this.#remote ? this.#refusal : null;
  }
  /** What the account is short of, in micro-credits; null when it has enough or nothing is known. */
  get missing(): bigint | null {
    const short = !this.free && this.#quote && this.available !== null ? BigInt(this.#quote.holdMicroCredits) - this.available : 0n;
    return short > 0n ? short : null;
  }
  get ready(): boolean {
    const isAsked = this.#quote !== null && !this.#stale && this.#busy === null && this.needed.length === 0;
    return isAsked && this.missing === null && this.title.trim() !== '' && Object.keys(this.#local).length === 0;
  }

  chooseGroup(mode: GroupMode | null, group: GroupId | null): void {
    this.#groupMode = group === null ? null : mode;
    this.#group = mode === null ? null : group;
    this.#refusal = null;
    // Who computes it changes when it is done.
    if (this.#touched) this.quoteSoon(0);
  }

  payWith(unit: CreditUnit): void {
    this.#unit = unit;
    this.#refusal = null;
    // A quote is of its unit, though the number is the same.
    if (this.#touched) this.quoteSoon(0);
  }

  set(name: string, value: unknown): void {
    this.patch({ [name]: value });
  }

  /** Several parameters at once; those that are undefined are left out from now on. */
  patch(params: object): void {
    for (const [name, value] of Object.entries(params)) {
      if (value === undefined) delete this.params[name];
      else this.params[name] = value;
    }
    this.quoteSoon();
  }

  /** Without a file, with what the form begins with. */
  beginPlain(): void {
    this.#started = true;
    if (this.title.trim() === '') this.title = this.spec.title;
    this.quoteSoon(0);
  }

  /** In place of everything that was chosen before. */
  async begin({ title, params, files, picture }: Beginning): Promise<void> {
    for (const attachment of Object.values(this.#files)) attachment.cancel();
    this.params = { ...(this.spec.defaults as Record<string, unknown>), ...(params as Record<string, unknown>) };
    this.title = title;
    this.#files = {};
    this.#quote = null;
    const attaching = this.attachAll(new Map(Object.entries(files)));
    this.#picture = picture ?? null;
    await attaching;
  }

  async attach(field: string, file: File | null): Promise<void> {
    if (file) return this.attachAll(new Map([[field, file]]));
    this.#files[field]?.cancel();
    this.#picture = null;
    const { [field]: _, ...others } = this.#files;
    this.#files = others;
    this.#quote = null;
    this.quoteSoon();
  }

  /** Each takes the place of the field's file before it. Fields that were hidden are shown. */
  async attachAll(files: ReadonlyMap<string, File>): Promise<void> {
    this.#started = true;
    this.#picture = null;
    for (const field of files.keys()) Object.assign(this.params, choicesShowing(this.form.fields, field, this.params));
    const added = Object.fromEntries([...files].map(([field, file]) => [field, new Attachment(file)]));
    for (const field of files.keys()) this.#files[field]?.cancel();
    this.#files = { ...this.#files, ...added };
    this.#quote = null;
    // The first file is what the job is about; others go with it.
    const subject = files.get(fileFields(this.form.fields).find(({ name }) => this.#shown.has(name))?.name ?? '');
    if (subject && this.title.trim() === '') this.title = titleFrom(subject.name);
    await Promise.all(Object.values(added).map((attachment) => attachment.send()));
    this.quoteSoon();
  }

  /** Again, after the network failed. */
  async send(field: string): Promise<void> {
    await this.#files[field]?.send();
    this.quoteSoon();
  }

  quoteSoon(delayMs = QUOTE_DELAY_MS): void {
    this.#touched = true;
    this.#stale = true;
    this.#refusal = null;
    this.#asking.abort();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), delayMs);
  }

  async submit(): Promise<JobView | null> {
    this.#busy = 'submitting';
    this.#refusal = null;
    try {
      const promise = this.#quote?.id ? { quote: this.#quote.id } : {};
      const visibility = this.free ? 'unlisted' : this.visibility;
      return await api.submitJob({ ...this.#request(), ...promise, title: this.title.trim(), visibility });
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
    return [...this.form.fields.map(({ name }) => name), 'title', 'checks', 'targetError', 'visibility', 'group', 'unit'];
  }

  #request(): QuoteRequest {
    const files: Record<string, BlobHash> = {};
    for (const [name, { hash }] of Object.entries(this.#files)) if (hash && this.#shown.has(name)) files[name] = hash;
    const group = this.#group && this.#groupMode ? { group: this.#group, groupMode: this.#groupMode } : {};
    const unit = this.unit === 'test' || this.free ? {} : { unit: this.unit };
    return { workload: this.spec.id, params: $state.snapshot(this.#ordered), files, checks: certainties[this.certainty].policy, ...group, ...unit };
  }

  async #ask(): Promise<void> {
    const isSending = Object.entries(this.#files).some(([name, { hash }]) => !hash && this.#shown.has(name));
    if (isSending || this.needed.length > 0 || !this.drawable) return;
    const asking = new AbortController();
    this.#asking = asking;
    this.#busy = 'quoting';
    try {
      await session.settled;
      asking.signal.throwIfAborted();
      const quote: PromisedQuote = await api.quote(this.#request(), asking.signal);
      this.#quote = quote;
      this.#stale = false;
      if (quote.expiresMs !== undefined) this.#timer = setTimeout(() => this.quoteSoon(0), Math.max(PRICE_MS_MIN, quote.expiresMs - Date.now()));
    } catch (error) {
      if (asking.signal.aborted) return;
      this.#quote = null;
      this.#refusal = asApiError(error);
    } finally {
      if (this.#asking === asking) this.#busy = null;
    }
  }
}
