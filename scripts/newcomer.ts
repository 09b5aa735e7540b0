import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import { changed, missingFrom, type Step, stepsOf } from './documents.ts';
import { root } from './pages.ts';

/**
 * `npm run newcomer`: what a newcomer does in the first hour. Clones what is committed here, follows README.md and docs/*.md in it step by step
 * (documents.ts says how they are read), or those that are named, and compares what the commands print with what the documents say. Exits with 1 when anything differs.
 */

const COMMAND_MS_MAX = 15 * 60_000;
/** A coordinator that ends finishes what is under way, for up to 20 s. */
const STOP_MS_MAX = 40_000;
const TAIL_LINES = 25;
/** Output comes in pieces: what a server prints is looked at so often. */
const LOOK_MS = 200;

/** The environment of somebody who has just logged in: nothing of this checkout's npm, and settings of his own. */
function environment(home: string): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(npm_(?!config_(cache|registry|userconfig)$)|NODE$|INIT_CWD$)/.test(name));
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.startsWith(root));
  return { ...Object.fromEntries(own), PATH: path.join(delimiter), XDG_CONFIG_HOME: home, CI: '1', NO_COLOR: '1' };
}

/** A command under way, with the group of processes that it leads, and what it has printed. */
class Running {
  readonly printed: string[] = [];
  readonly #child: ChildProcess;
  /** Null after a signal. */
  readonly ended: Promise<number | null>;

  constructor(command: string, cwd: string, env: NodeJS.ProcessEnv) {
    const child = spawn('bash', ['-c', command], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', (line) => this.printed.push(stripVTControlCharacters(line)));
    this.ended = once(child, 'close').then(([code]) => code as number | null);
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  signal(name: NodeJS.Signals): void {
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, name);
    } catch (error) {
      // All of the group have ended.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** As Ctrl-C does; what has not ended by then is killed. Resolves with the exit code. */
  async stop(): Promise<number | null> {
    const late = setTimeout(() => this.signal('SIGKILL'), STOP_MS_MAX);
    this.signal('SIGINT');
    const code = await this.ended;
    clearTimeout(late);
    this.signal('SIGKILL');
    return code;
  }
}

type Command = Extract<Step, { readonly command: string }>;
interface Server {
  readonly level: number;
  readonly command: Command;
  readonly running: Running;
}

const seconds = (sinceMs: number): string => `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
const oneLine = (command: string): string => command.replaceAll(/\s*\\\n\s*/g, ' ');

class Newcomer {
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly counts = { ran: 0, skipped: 0, failed: 0 };
  #servers: Server[] = [];
  #now: Running | null = null;
  #document = '';

  constructor(folder: string, home: string) {
    this.#folder = folder;
    this.#env = environment(home);
  }

  /** Everything that runs, at once. */
  kill(): void {
    for (const running of [this.#now, ...this.#servers.map((server) => server.running)]) running?.signal('SIGKILL');
  }

  async follow(document: string): Promise<void> {
    this.#document = document;
    let level = 1;
    for (const step of stepsOf(readFileSync(join(this.#folder, document), 'utf8'))) {
      if (step.kind === 'section') {
        level = step.level;
        await this.#stopServers(level);
      } else if (step.kind === 'file') this.#write(step.path, step.text);
      else if (step.kind === 'change') this.#write(step.path, changed(readFileSync(join(this.#folder, step.path), 'utf8'), step));
      else if (step.kind === 'skip') {
        this.counts.skipped++;
        this.#say('skipped', step, step.reason);
      } else if (step.kind === 'serve') await this.#serve(step, level);
      else await this.#run(step);
    }
    await this.#stopServers(0);
  }

  #write(path: string, text: string): void {
    mkdirSync(dirname(join(this.#folder, path)), { recursive: true });
    writeFileSync(join(this.#folder, path), text);
  }

  #say(outcome: string, { line, command }: Command, what: string): void {
    console.log(`${outcome.padEnd(8)}${this.#document}:${line}  ${oneLine(command)}  (${what})`);
  }

  #fail(step: Command, why: string, printed: readonly string[]): void {
    this.counts.failed++;
    this.#say('FAILED', step, why);
    for (const line of printed.slice(-TAIL_LINES)) console.log(`        | ${line}`);
  }

  async #run(step: Command): Promise<void> {
    const startedMs = performance.now();
    const running = new Running(step.command, this.#folder, this.#env);
    this.#now = running;
    const late = setTimeout(() => running.signal('SIGKILL'), COMMAND_MS_MAX);
    const code = await running.ended;
    clearTimeout(late);
    // What it left running in the background is nobody's.
    running.signal('SIGKILL');
    this.#now = null;
    const missing = missingFrom(running.printed, step.wanted);
    if (code !== 0) return this.#fail(step, `ended with ${code ?? 'a signal'}`, running.printed);
    if (missing !== undefined) return this.#fail(step, `did not print: ${missing}`, running.printed);
    this.counts.ran++;
    this.#say('ok', step, seconds(startedMs));
  }

  /** Waits for what it prints once it is ready. */
  async #serve(step: Command, level: number): Promise<void> {
    const startedMs = performance.now();
    const running = new Running(step.command, this.#folder, this.#env);
    this.#servers.push({ level, command: step, running });
    const missing = (): string | undefined => missingFrom(running.printed, step.wanted);
    while (missing() !== undefined && !running.hasEnded && performance.now() - startedMs < COMMAND_MS_MAX) await sleep(LOOK_MS);
    if (missing() === undefined && !running.hasEnded) return this.#say('ready', step, seconds(startedMs));
    this.#servers.pop();
    await running.stop();
    this.#fail(step, missing() === undefined ? 'did not go on running' : `did not print: ${missing()}`, running.printed);
  }

  /** Those of sections of this level and below, the latest first. */
  async #stopServers(level: number): Promise<void> {
    const ending = this.#servers.filter((server) => server.level >= level);
    this.#servers = this.#servers.filter((server) => server.level < level);
    for (const { command, running } of ending.reverse()) {
      const startedMs = performance.now();
      const hadEnded = running.hasEnded;
      const code = await running.stop();
      if (hadEnded || code !== 0) this.#fail(command, hadEnded ? 'ended by itself' : `ended with ${code ?? 'a signal'} when it was stopped`, running.printed);
      else {
        this.counts.ran++;
        this.#say('ok', command, `stopped in ${seconds(startedMs)}`);
      }
    }
  }
}

if (import.meta.main) {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-newcomer-'));
  const clone = join(folder, 'tessera');
  const newcomer = new Newcomer(clone, join(folder, 'settings'));
  process.on('exit', () => {
    newcomer.kill();
    // Of a hundred thousand files; `rmSync` takes minutes for them.
    spawnSync('rm', ['-rf', folder]);
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  execFileSync('git', ['clone', '--quiet', '--no-hardlinks', root, clone]);
  const docs = readdirSync(join(clone, 'docs')).filter((name) => name.endsWith('.md'));
  const all = ['README.md', ...docs.sort().map((name) => `docs/${name}`)];
  const wanted = process.argv.slice(2);
  // Whoever begins in the middle has done what README.md begins with.
  if (wanted.length > 0 && wanted[0] !== 'README.md') execFileSync('npm', ['ci'], { cwd: clone, stdio: 'ignore', env: environment(folder) });
  for (const document of wanted.length > 0 ? wanted : all) await newcomer.follow(document);
  const { ran, skipped, failed } = newcomer.counts;
  console.log(`${ran} commands ran, ${skipped} skipped, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}
