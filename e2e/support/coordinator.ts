import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { type Child, startChild } from '../../scripts/child.ts';
import { buildPages, root } from '../../scripts/pages.ts';

const READY_MS_MAX = 30_000;

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}

/** A real coordinator process on a data folder of its own, which it can be killed on and started on again. */
export class TestCoordinator {
  readonly dataDir: string;
  /** Where people find it. */
  readonly url: string;
  /** The same by a name that every resolver knows, for requests of the test itself. */
  readonly apiUrl: string;
  readonly #env: NodeJS.ProcessEnv;
  #child: Child | undefined;

  private constructor(dataDir: string, port: number, env: NodeJS.ProcessEnv) {
    this.dataDir = dataDir;
    this.apiUrl = `http://localhost:${port}`;
    this.url = env.PUBLIC_ORIGIN ?? this.apiUrl;
    this.#env = { ...process.env, HOST: '127.0.0.1', PORT: String(port), DATA_DIR: dataDir, GALLERY: 'off', LOG_LEVEL: 'warn', VESTING_SECONDS: '20', ...env };
  }

  /** `hostname`: the name that people use, when it is not localhost. `env`: more of its environment. Pay vests within 20 s. */
  static async start(hostname?: string, env: NodeJS.ProcessEnv = {}): Promise<TestCoordinator> {
    await buildPages();
    const port = await freePort();
    const dataDir = mkdtempSync(join(tmpdir(), 'tessera-e2e-'));
    const coordinator = new TestCoordinator(dataDir, port, { ...env, ...(hostname && { PUBLIC_ORIGIN: `http://${hostname}:${port}` }) });
    await coordinator.startAgain();
    return coordinator;
  }

  async startAgain(): Promise<void> {
    this.#child = startChild(process.execPath, ['server/main.ts'], { cwd: root, env: this.#env });
    await this.#child.line(/Tessera is ready: http/, READY_MS_MAX);
  }

  /** kill -9: nothing is finished, nothing is flushed. */
  async kill(): Promise<void> {
    await this.#child?.kill();
  }

  /** SIGTERM; fails unless the process ends by itself with code 0. */
  async stop(): Promise<void> {
    await this.#child?.stop();
    const code = await this.#child?.exited;
    if (code !== 0) throw new Error(`the coordinator ended with ${code}:\n${this.#child?.tail()}`);
  }

  async dispose(): Promise<void> {
    await this.#child?.kill();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  /** Reads the database of a coordinator that is not running. */
  rows<T>(sql: string, ...values: (string | number)[]): T[] {
    const db = new Database(join(this.dataDir, 'tessera.sqlite'), { readonly: true });
    try {
      return db.prepare(sql).all(...values) as T[];
    } finally {
      db.close();
    }
  }

  async get<T>(path: string, headers: Record<string, string> = {}): Promise<T> {
    return this.#ask('GET', path, headers);
  }

  async post<T>(path: string, body: unknown, headers: Record<string, string> = {}): Promise<T> {
    return this.#ask('POST', path, { ...headers, 'content-type': 'application/json' }, JSON.stringify(body));
  }

  /** A way in for the operator, made on the machine of the coordinator. */
  async operatorLink(): Promise<string> {
    const { stdout } = await promisify(execFile)(process.execPath, ['server/operator.ts'], { cwd: root, env: this.#env });
    const link = /^http\S+#\S+$/m.exec(stdout)?.[0];
    if (!link) throw new Error(`no link: ${stdout}`);
    return link;
  }

  /** The operator's kill switch, on the machine of the coordinator. */
  async sites(...args: string[]): Promise<void> {
    await promisify(execFile)(process.execPath, ['server/sites.ts', ...args], { cwd: root, env: this.#env });
  }

  async #ask<T>(method: string, path: string, headers: Record<string, string>, body?: string): Promise<T> {
    const response = await fetch(`${this.apiUrl}${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }
}

/** Sums that must be zero: per unit over all accounts, and per account against the transfers that explain it. */
export function ledgerOf(coordinator: TestCoordinator): { unit: string; sum: number; transfers: number; unexplained: number }[] {
  return coordinator.rows(`
    with moved as (
      select credit as id, unit, amount from transfers where phase in ('single', 'post')
      union all select debit, unit, -amount from transfers where phase in ('single', 'post')
    ), explained as (select id, unit, sum(amount) as balance from moved group by id, unit)
    select a.unit, sum(a.credits_posted - a.debits_posted) as sum,
      (select count(*) from transfers t where t.unit = a.unit) as transfers,
      sum(a.credits_posted - a.debits_posted <> coalesce(e.balance, 0)) as unexplained
    from accounts a left join explained e on e.id = a.id and e.unit = a.unit
    group by a.unit`);
}

/** The picture that the CPU reference makes of the same file, parameters and seed, as a PNG file. */
export async function referencePng(params: object, seed: number, model: Buffer | null): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-reference-'));
  try {
    const out = join(folder, 'reference.png');
    if (model) writeFileSync(join(folder, 'model.glb'), model);
    const file = model ? ['--file', `model=${join(folder, 'model.glb')}`] : [];
    const args = ['server/reference.ts', '--params', JSON.stringify(params), '--seed', String(seed), '--output', 'png', '--out', out, ...file];
    await promisify(execFile)(process.execPath, args, { cwd: root, timeout: 120_000 });
    return readFileSync(out);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
