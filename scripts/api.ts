import type { AccountView, JobRequest, JobView, Problem } from '../shared/schemas.ts';

/** A small client of the public HTTP API with a session of its own, for scripts. */
export class Api {
  readonly #url: string;
  #cookie: string | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  async #send(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.#cookie) headers.set('cookie', this.#cookie);
    const response = await fetch(new URL(path, this.#url), { ...init, headers, signal: AbortSignal.timeout(120_000) });
    const [cookie] = response.headers.getSetCookie();
    if (cookie) this.#cookie = cookie.split(';')[0];
    if (response.ok) return response;
    const body = (await response.json().catch(() => null)) as Problem | null;
    const field = body?.field ? ` (${body.field})` : '';
    throw new Error(`${init.method ?? 'GET'} ${path}: ${body ? `${body.detail}${field}` : `status ${response.status}`}`);
  }

  async #json<T>(path: string, body?: unknown): Promise<T> {
    const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    return (await (await this.#send(path, init)).json()) as T;
  }

  /** Begins a guest's session, which is granted test credits. */
  openSession = (): Promise<AccountView> => this.#json('/api/session', {});
  account = (): Promise<AccountView> => this.#json('/api/account');
  submit = (job: JobRequest): Promise<JobView> => this.#json('/api/jobs', job);
  job = (id: string): Promise<JobView> => this.#json(`/api/jobs/${id}`);

  async upload(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
    const response = await this.#send('/api/uploads', { method: 'POST', body: bytes, headers: { 'content-type': 'application/octet-stream' } });
    return ((await response.json()) as { hash: string }).hash;
  }

  async file(job: string, output: string): Promise<Uint8Array> {
    return new Uint8Array(await (await this.#send(`/api/jobs/${job}/files/${output}`)).arrayBuffer());
  }
}
